//! What cannot work ends with one clear message and the right exit code, and leaves nothing behind.

mod config;
mod files;
mod hosts;
mod instances;
mod keys;
mod ports;
mod reasons;
