//! Result of a step, and the text of errors between steps.

use crate::error::Error;
use crate::terminal::hint_label;

/// Result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// A question was answered.
    Asked,
    /// There was nothing to ask.
    Silent,
    /// Back to the last question that was answered.
    Back,
}

/// Returns an error as it is shown between questions.
pub(super) fn told(error: &Error) -> String {
    let hints: String = error.hints().iter().map(|hint| format!("{} {hint}\n", hint_label())).collect();
    format!("{error}\n{hints}")
}
