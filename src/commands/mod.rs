//! Commands: one folder each, with its arguments (syntax), their resolution into a request, and the verbs.
//!
//! Commands do not import each other; only [`complete`] reads all definitions.

pub mod code;
pub mod complete;
pub mod configure;
pub mod cost;
pub mod daemon;
pub mod dispatch;
pub mod doctor;
pub mod ext;
pub mod extend;
pub mod init;
pub mod keep;
pub mod launch;
pub mod offers;
pub mod prompt;
pub mod service;
pub mod ssh;
pub mod status;
pub mod terminate;
pub mod tunnel;
