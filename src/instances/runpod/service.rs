//! Names and addresses of RunPod.

use std::time::Duration;

use super::refusal::refusal;
use crate::instances::rest::service::Service;

/// Public address of REST v1.
pub const ADDRESS: &str = "https://rest.runpod.io/v1";
/// Public address of the catalog.
pub const CATALOG: &str = "https://api.runpod.io/v2/catalog";
/// Container image of a new pod: it runs an SSH server with the account's keys.
pub const IMAGE: &str = "runpod/pytorch:2.8.0-py3.11-cuda12.8.1-cudnn-devel-ubuntu22.04";

/// The API of RunPod. Its published description names no rate of requests.
pub static SERVICE: Service = Service {
    title: "RunPod",
    program: "soong-provider-runpod",
    table: "runpod",
    variable: None,
    keys: "https://console.runpod.io/user/settings",
    store_key: "soong configure set runpod.api-key",
    spacing: Duration::from_millis(200),
    refusal,
};
