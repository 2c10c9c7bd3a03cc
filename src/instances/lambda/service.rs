//! Names and addresses of Lambda Cloud.

use std::time::Duration;

use super::refusal::refusal;
use crate::instances::rest::service::Service;

/// Public address of the API.
pub const ADDRESS: &str = "https://cloud.lambda.ai/api/v1";

/// The API of Lambda Cloud: one request per second.
pub static SERVICE: Service = Service {
    title: "Lambda Cloud",
    program: "soong-provider-lambda",
    table: "lambda",
    variable: Some("SOONG_LAMBDA_ENDPOINT"),
    keys: "https://cloud.lambda.ai/api-keys",
    store_key: "soong configure",
    spacing: Duration::from_secs(1),
    refusal,
};
