//! ssh's questions: the [`helper`] that ssh runs, the [`prompt`] it passes on, and the [`terminal`] or the
//! user's [`program`] that answers.

pub(crate) mod helper;
pub(crate) mod program;
pub(crate) mod prompt;
pub(crate) mod terminal;
