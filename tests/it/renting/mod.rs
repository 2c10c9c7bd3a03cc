//! Renting: what instances cost, and how they begin and end.

mod cost;
mod follow_up;
mod journey;
mod lambda;
mod launch;
mod order;
mod outcomes;
mod pretended;
mod terminate;
