//! `config.toml`: [`load`] reads it, [`check`] compares it with the [`schema`], [`document`] turns it into
//! [`settings`]. Also instances, addresses, forwards, and the credentials beside it.

pub mod address;
pub(crate) mod check;
pub(crate) mod credentials;
mod document;
pub(crate) mod forwarding;
pub(crate) mod instance;
mod load;
pub(crate) mod on_demand;
pub mod schema;
mod settings;
pub(crate) mod token_store;

#[cfg(test)]
mod tests;

pub use self::check::{is_provider_name, money};
pub use self::load::read;
pub use self::settings::{
    Autocorrect, Config, DEFAULT_COMPLETION_TIMEOUT, DEFAULT_SERVICES, HostKeyCheck, InstanceTunnel, Lambda,
    Launch, Service, Ssh,
};
