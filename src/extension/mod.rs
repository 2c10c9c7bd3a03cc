//! Extensions: programs `soong-NAME` on `PATH`, run as `soong NAME`.
//!
//! [`launch`] finds one and execs it; [`discovery`] finds all; [`metadata`] reads their metadata without
//! executing them; [`catalog`] combines these. Commands decide what to show.
//!
//! `soong` itself uses [`launch`] alone and so stays small: the rest needs a TOML parser.

pub mod alias;
pub mod catalog;
pub mod completion;
pub mod discovery;
pub mod launch;
pub mod metadata;
mod name;

pub use self::name::{PREFIX, is_name};
