//! Asking a run to stop at the end of its step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::TrainError;

/// Exit code of a run that was stopped by the user.
const INTERRUPTED: i32 = 130;

/// A request to stop, shared between the run and whoever may stop it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// A request that only the program itself can make.
    pub fn new() -> Self {
        Interrupt::default()
    }

    /// A request that Ctrl-C or a termination signal makes: the first lets the run finish its step and
    /// save, the second ends the process at once with code 130.
    ///
    /// # Errors
    /// [`TrainError::Signals`] if the system refuses.
    pub fn on_signals() -> Result<Self, TrainError> {
        let interrupt = Interrupt::new();
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in this order: the exit sees the flag of an earlier signal only.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&interrupt.0))
                .and_then(|_| flag::register(signal, Arc::clone(&interrupt.0)))
                .map_err(TrainError::Signals)?;
        }
        Ok(interrupt)
    }

    /// Makes the request.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the request was made.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
