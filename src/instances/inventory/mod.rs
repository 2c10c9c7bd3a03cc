//! Inventory of instances: those of the config and those that providers list.
//!
//! ```text
//! config ───────┐
//! provider::ask ┼→ Inventory ─ candidates ─ picker ─ wait ─→ the Instance to reach
//! cache ────────┘
//! ```
//!
//! [`choose()`] does all of this, for commands that reach one instance. Commands that list instances use the
//! [`Inventory`].

mod arguments;
mod candidates;
mod choose;
mod locate;
mod machine;
mod picker;
mod progress;
mod readiness;
mod record;
mod sources;
mod wait;

pub use self::arguments::{
    InstanceArguments, NameArguments, NamesArguments, Selector, TimeArguments, WAIT_MAX, one_name,
};
pub use self::candidates::{listing, unknown};
pub use self::choose::{choose, choose_cached, pick};
pub use self::locate::{Location, locate};
pub use self::machine::Machine;
pub use self::picker::pick as menu;
pub use self::progress::Progress;
pub use self::record::record;
pub use self::sources::{Failures, Inventory, Source};
pub use crate::instances::provider::answer::Status;
