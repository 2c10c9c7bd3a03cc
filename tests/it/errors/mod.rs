//! Commands that cannot work end with one clear message and the right exit code, and leave nothing behind.

mod config;
mod files;
mod hosts;
pub mod instances;
mod keys;
mod ports;
mod reasons;
