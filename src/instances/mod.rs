//! Instances: the [`inventory`] of config and providers, [`provider`] executables, and the provider for
//! Lambda Cloud.

pub mod inventory;
pub mod lambda;
pub mod provider;
