//! Ledger of rented instances: `ledger.jsonl` in the state directory, one JSON object a line, never rewritten.
//!
//! ```text
//! commands, inventory ─ Entry ─ file ─→ ledger.jsonl ─ file ─→ Entry … ─ history ─→ Stay, Wish ─ cost
//!                                                        observe ─┘ what a provider's answer adds
//! ```
//!
//! An entry is on disk before the request that it announces is sent, so that a crash leaves a trace. The ledger
//! holds no secrets and no addresses.

pub mod cost;
pub mod entry;
mod file;
pub mod history;
pub mod month;
pub mod observe;

pub use self::entry::{Entry, Event};
pub use self::file::{Snapshot, append, read, update};
pub use self::history::{History, Stay, Wish};
