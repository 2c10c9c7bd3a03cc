//! One link: an ssh [`process`], the client of its control socket ([`mux`]), and checks of its liveness.

pub(crate) mod carrier;
pub(crate) mod check;
pub(crate) mod contact;
pub(crate) mod forwards;
pub(crate) mod line_reader;
pub(crate) mod liveness;
pub(crate) mod mux;
pub(crate) mod permission;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod sessions;
pub(crate) mod tcp_probe;
pub(crate) mod tcp_progress;
pub(crate) mod timer;
