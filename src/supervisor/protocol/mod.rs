//! Messages between a `start` and its supervisor: the [`request`], the [`event`]s, a foreground start
//! ([`exec`]), and the output of progress.

pub(crate) mod event;
pub(crate) mod exec;
pub(crate) mod hook_event;
pub(crate) mod location;
pub(crate) mod progress;
pub(crate) mod request;
pub(crate) mod spawn;
