//! `soong-statusd`, the status daemon: runs on a rented GPU instance and ends it when its lease is
//! over or nothing uses it.
//!
//! The core is pure: [`lease`] decides from a policy, an observation and a moment what to do, and
//! [`why`] explains it. Everything else is an edge: [`clock`] reads the time, [`store`] the state
//! file, [`activity`] GPUs, logins and model servers, [`http`] answers requests, [`ending`] warns and
//! ends, by a [`provider`] if need be. [`guard`] connects them.

#![cfg(target_os = "linux")]

pub mod activity;
pub mod clock;
pub mod config;
pub mod ending;
pub mod error;
pub mod guard;
pub mod http;
pub mod lease;
pub mod log;
pub mod program;
pub mod provider;
pub mod request;
pub mod status;
pub mod store;
pub mod systemd;
pub mod why;
