//! HTTP APIs of providers: addresses, keys, requests, and the verbs of their programs.

pub mod client;
pub mod endpoint;
pub mod key;
pub mod service;
pub mod verbs;
