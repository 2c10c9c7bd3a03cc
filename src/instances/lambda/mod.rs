//! `soong-provider-lambda`: lists the instances of a Lambda Cloud account.
//!
//! The API is described at <https://docs.lambda.ai/api/cloud> (version 1.10). The only request is
//! `GET /instances`. The API key is sent in one header of that request and nowhere else.

mod answer;
mod client;
mod endpoint;
mod key;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

pub use self::client::Client;
pub use self::endpoint::Endpoint;
pub use self::key::{Key, Origin};

use crate::command_line;
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::error::{Error, Result};
use crate::instances::provider::answer::Answer;
use crate::system::paths::{self, Paths};
use crate::terminal::printable_json;

/// Longest time for a listing. Shorter than soong's limit for providers, so that this program can report what was slow.
const BUDGET: Duration = Duration::from_secs(18);

/// The command line of `soong-provider-lambda`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-provider-lambda",
    version,
    about = "List instances of Lambda Cloud",
    disable_help_subcommand = true,
    long_about = "List instances of Lambda Cloud.\n\n\
        Enable it in config.toml with [providers] lambda = true. 'soong configure' asks for the API key.",
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
}

/// Runs `soong-provider-lambda` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-provider-lambda", |arguments: &Arguments| match arguments.command {
        Command::List => list(),
    })
}

fn list() -> Result<u8> {
    let deadline = Instant::now() + BUDGET;
    let paths = Paths::from_env()?;
    let config = Config::load(&paths)?;
    let endpoint = Endpoint::resolve(paths::lambda_url()?.as_deref(), config.lambda.base_url.as_deref())?;
    let key = Key::obtain(&config.lambda.api_key_command, || Credentials::load(&paths), BUDGET)?;
    let instances = Client::new(&endpoint, key).instances(deadline)?;
    let json = serde_json::to_string(&Answer::new(instances))
        .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
    command_line::print(&(printable_json(&json) + "\n"))?;
    Ok(0)
}
