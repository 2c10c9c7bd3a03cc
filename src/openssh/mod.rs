//! The system's `ssh`: its command line, its options, and what its failures mean.

pub(crate) mod agent;
mod certificate;
pub(crate) mod entry;
pub(crate) mod failure;
pub(crate) mod greeting;
pub mod host_alias;
pub(crate) mod key;
pub(crate) mod key_file;
pub(crate) mod log_lines;
pub(crate) mod login;
pub(crate) mod options;
pub(crate) mod quoting;
pub(crate) mod route;
pub(crate) mod trial;
pub(crate) mod tunnel_keywords;
mod user_config;

pub use self::key::Keys;
pub use self::login::{Login, host_key_alias};
pub use self::quoting::check_path;
