//! Renting: what instances cost, and how they begin and end.

mod cost;
