//! Names and habits of a provider's API.

use std::time::Duration;

use crate::instances::provider::{Refused, Verb};

/// A provider's API.
#[derive(Debug)]
pub struct Service {
    /// Name for people, such as `Lambda Cloud`.
    pub title: &'static str,
    /// Program, such as `soong-provider-lambda`.
    pub program: &'static str,
    /// Its table in `config.toml` and `credentials.toml`.
    pub table: &'static str,
    /// Variable that holds another address, if any.
    pub variable: Option<&'static str>,
    /// Web page on which users create API keys.
    pub keys: &'static str,
    /// Command that stores a key.
    pub store_key: &'static str,
    /// Least time between two requests, and the pause after a 429 that names none.
    pub spacing: Duration,
    /// Words for a refused request.
    pub refusal: fn(&Rejection<'_>) -> Refused,
}

impl Service {
    /// Returns the hint for answers that are not the API's.
    pub fn check_address(&self) -> String {
        match self.variable {
            Some(variable) => format!("check {}.base-url and {variable}", self.table),
            None => format!("check {}.base-url", self.table),
        }
    }
}

/// Answer that refuses a request.
#[derive(Debug)]
pub struct Rejection<'a> {
    /// The API.
    pub service: &'static Service,
    /// HTTP status.
    pub status: u16,
    /// Body without the API key.
    pub body: &'a [u8],
    /// Source of the API key.
    pub origin: Origin,
    /// Verb of the provider that the request serves.
    pub verb: Verb,
}

/// Origin of a key; hints depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The credentials file.
    Stored,
    /// The command in `api-key-command`.
    Printed,
}
