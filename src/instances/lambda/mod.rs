//! `soong-provider-lambda`: lists, rents and ends instances at Lambda Cloud.
//!
//! The API is described at <https://docs.lambda.ai/api/cloud> (version 1.10). The API key is sent in one header
//! of each request and nowhere else.

mod account;
mod answer;
mod client;
mod endpoint;
mod key;
mod refusal;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::account::Account;
pub use self::client::Client;
pub use self::endpoint::Endpoint;
pub use self::key::{Key, Origin};

use crate::command_line;

/// The command line of `soong-provider-lambda`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-provider-lambda",
    version,
    about = "List, rent and end instances of Lambda Cloud",
    disable_help_subcommand = true,
    long_about = "List, rent and end instances of Lambda Cloud.\n\n\
        Enable it in config.toml with [providers] lambda = true. 'soong configure' asks for the API key. \
        Failures of all subcommands except list are also printed as a JSON object with a code.",
    after_help = "Example:
  soong-provider-lambda list"
)]
pub struct Arguments {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands of `soong-provider-lambda`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the instances as JSON
    #[command(after_help = "Example:
  soong-provider-lambda list | jq -r '.instances[].name'")]
    List,
    /// Print what this provider can do
    Capabilities,
    /// Print the types of machines for rent as JSON
    #[command(after_help = "Example:
  soong-provider-lambda offers | jq -r '.offers[] | select(.regions != []).type'")]
    Offers,
    /// Rent the machine that a JSON object on standard input describes
    #[command(after_help = "Example:
  echo '{\"api\":1,\"name\":\"dev\",\"type\":\"gpu_1x_a10\",\"region\":\"us-west-1\"}' |
      soong-provider-lambda launch")]
    Launch,
    /// End the instance that a JSON object on standard input names
    #[command(after_help = "Example:
  echo '{\"api\":1,\"id\":\"0920582c\"}' | soong-provider-lambda terminate")]
    Terminate,
}

/// Runs `soong-provider-lambda` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main(verbs::PROGRAM, |arguments: &Arguments| match arguments.command {
        Command::List => verbs::list(),
        Command::Capabilities => verbs::capabilities(),
        Command::Offers => verbs::offers(),
        Command::Launch => verbs::carry_out(Account::launch),
        Command::Terminate => verbs::carry_out(Account::terminate),
    })
}
