//! Foundation of the integration tests: a private environment, a real `sshd`, real HTTP services and tools
//! that inspect processes and ports. Nothing here asserts what `soong` should do, except that it leaves
//! nothing behind.

#[cfg(target_os = "linux")]
pub mod booted;
#[cfg(target_os = "linux")]
pub mod browser;
pub mod challenge;
pub mod config;
pub mod curl;
pub mod daemon;
pub mod download;
pub mod http;
pub mod instance;
pub mod lambda_cloud;
#[cfg(target_os = "linux")]
pub mod namespaces;
pub mod network;
pub mod ports;
pub mod process;
pub mod provider;
pub mod run;
pub mod runpod_cloud;
pub mod sandbox;
pub mod service;
pub mod signals;
pub mod spawned;
pub mod ssh_config;
pub mod sshd;
pub mod statusd;
pub mod terminal;
pub mod tools;
#[cfg(target_os = "linux")]
pub mod user_manager;
pub mod wait;
