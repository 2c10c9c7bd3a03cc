//! `soong open` opens a service of the instance in the browser: a sample extension in Rust, completed
//! by clap's own engine.
//!
//! Its note says `complete: "clap"`, so soong runs it with `COMPLETE=fish` when the user presses TAB
//! behind its name. clap takes the candidates from [`Arguments`], and services from the config.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use clap::Parser;
use clap_complete::{ArgValueCandidates, CompleteEnv, CompletionCandidate};
use soong::config::{Config, Service};
use soong::error::{EXIT_FAILED, Error, Result};
use soong::system::paths::{self, Paths};
use soong::terminal;

soong_extension::note! {
    summary: "Open a service of your instance in the browser",
    complete: "clap",
}

/// Programs that open an address in the user's browser: on most systems, on macOS.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// Open a service of your instance in the browser
#[derive(Debug, Parser)]
#[command(
    name = "soong-open",
    bin_name = "soong open",
    version,
    after_help = "Examples:
  soong open
  soong open sglang --print"
)]
struct Arguments {
    /// Name of the service
    #[arg(default_value = "n8n", add = ArgValueCandidates::new(services))]
    service: String,
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    /// Only print the address
    #[arg(long)]
    print: bool,
}

fn main() -> ExitCode {
    // Prints candidates and exits if a shell's completion runs this program.
    CompleteEnv::with_factory(soong::command_line::definition::<Arguments>).complete();
    soong::command_line::main("soong-open", |arguments: &Arguments| {
        let output = ask(arguments)?;
        if !output.status.success() {
            // soong has printed the reason.
            return Ok(output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(EXIT_FAILED));
        }
        let address = String::from_utf8_lossy(&output.stdout).into_owned();
        if arguments.print {
            terminal::print(&address).map_err(Error::output)?;
        } else {
            open(address.trim_end())?;
        }
        Ok(0)
    })
}

/// The services of the config, for completion.
fn services() -> Vec<CompletionCandidate> {
    let config = Paths::from_env().and_then(|paths| Config::load(&paths));
    let services = config.map(|config| config.services).unwrap_or_default();
    let candidate = |service: Service| {
        CompletionCandidate::new(service.name).help(Some(format!("Port {}", service.remote).into()))
    };
    services.into_iter().map(candidate).collect()
}

/// Asks soong for the address of the service. Its error messages go to the user unchanged.
fn ask(arguments: &Arguments) -> Result<Output> {
    #[allow(clippy::disallowed_methods, reason = "an extension is told by its environment")]
    let soong = std::env::var_os("SOONG").unwrap_or_else(|| "soong".into());
    let mut command = Command::new(&soong);
    command.args(["tunnel", "url"]);
    if let Some(id) = &arguments.instance_id {
        command.arg(format!("--instance-id={id}"));
    }
    let output = command.arg("--").arg(&arguments.service).stderr(Stdio::inherit()).output();
    output.map_err(|error| Error::io("run", Path::new(&soong), error))
}

fn open(address: &str) -> Result<()> {
    let opener = OPENERS.into_iter().find_map(paths::find_program);
    let opener = opener.ok_or_else(|| {
        Error::failed("no program is known that opens a browser")
            .with_hint(format!("install xdg-utils, or open it yourself: {address}"))
    })?;
    match Command::new(&opener).arg(address).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::io("open a browser with", &opener, io::Error::other(status.to_string()))),
        Err(error) => Err(Error::io("run", &opener, error)),
    }
}
