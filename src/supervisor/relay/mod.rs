//! Local listeners and their connections: reserved ([`reserve`]), accepted ([`accept`]) and copied
//! ([`copy`](mod@copy)) to the sockets that ssh forwards ([`serve`]).

pub(crate) mod accept;
pub(crate) mod connection_limit;
mod copy;
pub(crate) mod demand;
mod disconnect;
pub(crate) mod fd_limit;
pub(crate) mod forward_table;
pub(crate) mod metrics;
pub(crate) mod owner;
mod pipe;
mod port_conflict;
pub(crate) mod replay;
pub(crate) mod reserve;
pub(crate) mod serve;
pub(crate) mod socks;
mod stream;
pub(crate) mod unix_socket;
pub(crate) mod uplink;
