//! What an error tells the person at the terminal beside its message.

/// How the program ends because of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// A check or comparison came out negative: exit code 1.
    Negative,
    /// The command line, a config or a file given by the user is wrong: exit code 2.
    Usage,
    /// The run failed while it was under way: exit code 3.
    Failed,
}

impl ExitKind {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            ExitKind::Negative => 1,
            ExitKind::Usage => 2,
            ExitKind::Failed => 3,
        }
    }
}

/// An error that knows its remedy and how the program should end.
pub trait Diagnose: std::error::Error {
    /// What to do about it, as one sentence without a final period.
    fn hint(&self) -> Option<String> {
        None
    }

    /// How the program should end.
    fn exit(&self) -> ExitKind {
        ExitKind::Usage
    }
}
