//! What people type: a folder per command, each with its arguments (syntax), what they mean (a resolved request)
//! and the verbs that carry it out.
//!
//! Commands do not import each other; [`complete`] alone reads the definitions of all.

pub mod complete;
pub mod configure;
pub mod dispatch;
pub mod ext;
pub mod extend;
pub mod init;
pub mod prompt;
pub mod ssh;
pub mod status;
pub mod tunnel;
