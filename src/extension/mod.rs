//! Extensions: programs `soong-NAME` on `PATH` that are called as `soong NAME`.
//!
//! [`launch`] finds one and becomes it; [`discovery`] finds all of them; [`metadata`] reads what
//! they say of themselves without executing anything; [`catalog`] puts these together. What is listed where, and in what
//! words, is the features' business.
//!
//! `soong` itself uses [`launch`] alone, and so stays small: the rest needs a TOML parser.

pub mod alias;
pub mod catalog;
pub mod completion;
pub mod discovery;
pub mod launch;
pub mod metadata;
mod name;

pub use self::name::{PREFIX, is_name};
