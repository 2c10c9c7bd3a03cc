//! `soong top` shows the load of the instances: a sample extension in Rust.
//!
//! It gets the instances and the answers of their status daemons from `soong status --json`, and the
//! number of running requests from SGLang's metrics, through the tunnel.

mod metrics;
mod view;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use soong::error::{Error, Result};
use soong::terminal;

soong_extension::note! {
    summary: "Watch GPU load, requests and leases of your instances",
    complete: "soong",
}

/// Watch GPU load, requests and leases of your instances
#[derive(Debug, Parser)]
#[command(name = "soong-top", bin_name = "soong top", version)]
struct Arguments {
    /// Show everything once and exit (the default without a terminal)
    #[arg(long)]
    once: bool,
    /// Refresh interval in seconds
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
}

fn main() -> ExitCode {
    if is_set("SOONG_COMPLETE") {
        let words: Vec<OsString> = std::env::args_os().skip(1).collect();
        return ExitCode::from(u8::from(terminal::print(&view::completion(&words)).is_err()));
    }
    soong::command_line::main("soong-top", |arguments: &Arguments| {
        let once = arguments.once || !io::stdout().is_terminal();
        loop {
            let status = status(arguments)?;
            let rows: Vec<view::Row> = view::instances(&status).map(row).collect();
            let text = view::render(&rows, soong::system::time::now());
            // One write per frame, to avoid flicker.
            let text = if once { text } else { format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")) };
            if !terminal::print_more(&text).map_err(Error::output)? || once {
                return Ok(0);
            }
            sleep(Duration::from_secs(arguments.interval));
        }
    })
}

fn is_set(name: &str) -> bool {
    #[allow(clippy::disallowed_methods, reason = "an extension is told by its environment")]
    std::env::var_os(name).is_some_and(|value| value == "1")
}

fn row(instance: &Value) -> view::Row {
    let port = view::port(instance, "sglang");
    view::Row::new(instance, port.map(metrics::read))
}

/// Returns the output of `soong status`. It uses cached data and does not ask providers.
fn status(arguments: &Arguments) -> Result<Value> {
    #[allow(clippy::disallowed_methods, reason = "an extension is told by its environment")]
    let soong = std::env::var_os("SOONG").unwrap_or_else(|| "soong".into());
    let mut command = Command::new(soong);
    command.args(["status", "--cached", "--json"]);
    if let Some(id) = &arguments.instance_id {
        command.args(["--instance-id", id]);
    }
    // Error messages of soong go to the user unchanged.
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output =
        output.map_err(|source| Error::Io { action: "cannot run soong".into(), source, hint: None })?;
    serde_json::from_slice(&output.stdout).map_err(|_| Error::failed("'soong status' did not print JSON"))
}
