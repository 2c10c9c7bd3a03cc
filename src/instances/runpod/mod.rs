//! `soong-provider-runpod`: lists, rents and ends pods at RunPod.
//!
//! Pods: <https://docs.runpod.io/api-reference/pods/GET/pods> (REST v1). REST v1 has neither prices nor capacity;
//! they come from the catalog of REST v2 (<https://docs.runpod.io/api-reference-v2/catalog/list-gpu-types>). Pods share
//! addresses, and each has its SSH server on another port. The API key is sent in one header of each request and
//! nowhere else.

pub mod account;

mod answer;
mod refusal;
mod service;
mod type_name;

use std::process::ExitCode;

use clap::Parser;

use self::account::Account;
pub use self::service::SERVICE;
use crate::command_line;
use crate::instances::rest::verbs::{self, Command};

/// The command line of `soong-provider-runpod`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-provider-runpod",
    version,
    about = "List, rent and end pods of RunPod",
    long_about = "List, rent and end pods of RunPod.\n\n\
        Enable it in config.toml with [providers] runpod = true, and store the API key with 'soong configure \
        set runpod.api-key'. Pods run the image in runpod.image, which must run an SSH server. Failures of all verbs \
        except list are also printed as a JSON object with a code.",
    after_help = "Examples:
  soong-provider-runpod list | jq -r '.instances[].name'
  soong-provider-runpod offers | jq -r '.offers[] | select(.regions != []).type'
  echo '{\"api\":1,\"id\":\"xedezhzb9la3ye\"}' | soong-provider-runpod terminate"
)]
pub struct Arguments {
    /// The request
    #[arg(value_name = "VERB", value_enum)]
    pub command: Command,
}

/// Runs `soong-provider-runpod` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main(SERVICE.program, |arguments: &Arguments| verbs::run::<Account>(arguments.command))
}
