//! Panics inside layers are findings, not ends.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread would be caught and reported by an audit, so that the program's panic hook can keep
/// silent.
pub fn is_watched() -> bool {
    WATCHED.get()
}

/// Runs code of a layer.
///
/// # Errors
/// The message of a panic.
pub(super) fn watched<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    let outer = WATCHED.replace(true);
    // What a panic leaves half done is dropped: experiments share nothing that changes.
    let result = catch_unwind(AssertUnwindSafe(work));
    WATCHED.set(outer);
    result.map_err(|payload| message(payload.as_ref()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_messages() {
        assert_eq!(watched(|| 3), Ok(3));
        assert_eq!(watched(|| -> () { panic!("plain") }), Err("plain".to_owned()));
        assert_eq!(watched(|| -> () { panic!("{} and {}", 1, 2) }), Err("1 and 2".to_owned()));
        assert!(watched(is_watched).is_ok_and(|inside| inside) && !is_watched());
    }
}
