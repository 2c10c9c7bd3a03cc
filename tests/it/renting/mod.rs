//! Renting: what instances cost, and how they begin and end.

mod cost;
mod journey;
mod launch;
mod order;
mod outcomes;
mod pretended;
mod terminate;
