//! Instances: the [`inventory`] of config and providers, [`provider`] executables, and those for Lambda Cloud and
//! RunPod.

pub mod inventory;
pub mod lambda;
pub mod provider;
pub mod rest;
pub mod runpod;
