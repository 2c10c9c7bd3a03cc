//! Renting: what instances cost, and how they begin and end.

mod cost;
mod follow_up;
#[cfg(target_os = "linux")]
mod guard;
mod journey;
mod lambda;
mod launch;
#[cfg(target_os = "linux")]
mod machines;
mod order;
mod outcomes;
mod pretended;
mod terminate;
