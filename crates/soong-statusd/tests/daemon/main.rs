//! The real daemon over real HTTP. Limits of seconds stand in for those of hours; arithmetic with
//! turned clocks is tested where it is pure, in `src/lease/tests.rs`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod activity;
mod endings;
mod footprint;
mod hostile;
mod requests;
mod restarts;
mod support;
