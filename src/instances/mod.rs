//! Instances: the [`inventory`] of those that the config and providers name, [`provider`] executables,
//! and the provider for Lambda Cloud.

pub mod inventory;
pub mod lambda;
pub mod provider;
