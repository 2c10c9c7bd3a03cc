//! `soong-provider-lambda`: the instances of an account at Lambda Cloud, as providers list them.
//!
//! The API is described at <https://docs.lambda.ai/api/cloud> (version 1.10). What is asked is
//! `GET /instances`, and nothing is ever changed there. The API key goes into one header of that
//! request and nowhere else.

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
use crate::terminal::{print, printable_json};

/// How long listing may take in all. Less than soong grants a provider, so that it is this program
/// that says what took so long.
const BUDGET: Duration = Duration::from_secs(18);

/// The command line of `soong-provider-lambda`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-provider-lambda",
    version,
    about = "List instances of Lambda Cloud for soong",
    disable_help_subcommand = true,
    after_help = "Switch it on in config.toml: [providers] lambda = true
Give it an API key: soong configure

Example:
  soong-provider-lambda list"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `soong-provider-lambda` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the instances as JSON
    #[command(after_help = "Example:
  soong-provider-lambda list | jq -r '.instances[].name'")]
    List,
}

/// `soong-provider-lambda`: does what the command line says and returns the exit code.
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
    print(&(printable_json(&json) + "\n")).map_err(Error::output)?;
    Ok(0)
}
