//! Inventory of instances: those of the config and those that providers list.
//!
//! ```text
//! config ───────┐
//! provider::ask ┼→ Inventory ─ candidates ─ picker ─ wait ─→ the Instance to reach
//! cache ────────┘
//! ```
//!
//! [`choose`] does all of this, for commands that reach one instance. Commands that list instances use the
//! [`Inventory`].

mod arguments;
mod candidates;
mod choose;
mod machine;
mod picker;
mod progress;
mod readiness;
mod sources;
mod wait;
mod whereabouts;

pub use self::arguments::{Choice, WAIT_MAX, Wish};
pub use self::choose::{choose, known};
pub use self::machine::Machine;
pub use self::progress::Progress;
pub use self::sources::{Failures, Inventory, Source};
pub use self::whereabouts::{Whereabouts, whereabouts};
pub use crate::instances::provider::answer::Status;
