//! Messages between a `start` and the supervisor that it spawns: the [`request`], the [`event`]s that
//! answer it, how a foreground start becomes the supervisor ([`exec`]), and how progress is shown.

pub(crate) mod event;
pub(crate) mod exec;
pub(crate) mod hook_event;
pub(crate) mod location;
pub(crate) mod progress;
pub(crate) mod request;
pub(crate) mod spawn;
