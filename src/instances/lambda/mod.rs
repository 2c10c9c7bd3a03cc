//! `soong-provider-lambda`: lists, rents and ends instances at Lambda Cloud.
//!
//! The API is described at <https://docs.lambda.ai/api/cloud> (version 1.10). The API key is sent in one header
//! of each request and nowhere else.

pub mod account;

mod answer;
mod refusal;
mod service;

use std::process::ExitCode;

use clap::Parser;

use self::account::Account;
pub use self::service::SERVICE;
use crate::command_line;
use crate::instances::rest::verbs::{self, Command};

/// The command line of `soong-provider-lambda`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-provider-lambda",
    version,
    about = "List, rent and end instances of Lambda Cloud",
    long_about = "List, rent and end instances of Lambda Cloud.\n\n\
        Enable it in config.toml with [providers] lambda = true. 'soong configure' asks for the API key. \
        Failures of all verbs except list are also printed as a JSON object with a code.",
    after_help = "Examples:
  soong-provider-lambda list | jq -r '.instances[].name'
  soong-provider-lambda offers | jq -r '.offers[] | select(.regions != []).type'
  echo '{\"api\":1,\"id\":\"0920582c\"}' | soong-provider-lambda terminate"
)]
pub struct Arguments {
    /// The request
    #[arg(value_name = "VERB", value_enum)]
    pub command: Command,
}

/// Runs `soong-provider-lambda` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main(SERVICE.program, |arguments: &Arguments| verbs::run::<Account>(arguments.command))
}
