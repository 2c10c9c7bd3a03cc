//! The program: reads the configuration, answers requests and watches the machine.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::activity::gpu::{self, Monitor, NvidiaDriver};
use crate::activity::models::ModelServers;
use crate::activity::{Load, Look, Observation, sessions};
use crate::clock::rfc3339;
use crate::config::{Config, DEFAULT_FILE};
use crate::error::{Error, Result};
use crate::guard::Guard;
use crate::lease::{Action, Policy};
use crate::systemd::Notifier;
use crate::{ending, http, log, request};

/// The command line of `soong-statusd`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-statusd",
    version,
    about = "Guard a GPU instance: end it when its lease is over or it is not used",
    after_help = "soong daemon install sets it up over SSH, as a systemd service.

Examples:
  soong-statusd --check
  sudo soong-statusd keep 2h
  soong-statusd --config ./statusd.toml"
)]
pub struct Arguments {
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
    /// Check the configuration and exit
    #[arg(long)]
    pub check: bool,
    /// Request to the daemon that runs with this configuration; without one, this becomes the daemon.
    #[command(subcommand)]
    pub request: Option<Request>,
}

/// Requests by a user of the machine.
#[derive(Debug, Clone, Subcommand)]
pub enum Request {
    /// Keep the machine up for a time although nothing uses it
    Keep {
        /// Such as 2h or 90m
        #[arg(value_parser = humantime::parse_duration)]
        time: Duration,
    },
    /// Extend the lease
    Extend {
        /// Such as 2h or 90m
        #[arg(value_parser = humantime::parse_duration)]
        time: Duration,
    },
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error(&error.to_string());
            if let Some(hint) = error.hint() {
                log::error(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(request) = &arguments.request {
        let told = match request {
            Request::Keep { time } => request::keep(&arguments.config, *time),
            Request::Extend { time } => request::extend(&arguments.config, *time),
        };
        // A closed standard output does not undo what was asked.
        let _ = writeln!(std::io::stdout(), "{}", told?);
        return Ok(());
    }
    let config = Config::load(&arguments.config)?;
    if arguments.check {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::new(format!("cannot start: {error}")))?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    let address = config.listen;
    if !address.ip().is_loopback() {
        log::warning(&format!("listening on {address}: the token travels in plain text; prefer 127.0.0.1"));
    }
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let error = Error::new(format!("cannot listen on {address}: {error}"));
        error.with_hint("set another port: listen = \"127.0.0.1:PORT\"")
    })?;
    let guard = Arc::new(Guard::new(config)?);
    let cannot_watch = |error: std::io::Error| Error::new(format!("cannot start: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_watch)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_watch)?;
    let mut watch = Watch::new(&guard).map_err(cannot_watch)?;
    report_start(&guard, listener.local_addr().unwrap_or(address));
    tokio::spawn(http::serve(listener, Arc::clone(&guard)));
    tokio::select! {
        () = watch.run() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    guard.save();
    log::info("stopped");
    Ok(())
}

fn report_start(guard: &Guard, address: SocketAddr) {
    let snapshot = guard.snapshot();
    let end = snapshot.lease.lease_plan(&guard.config.policy).at;
    let dry_run = if guard.config.dry_run { " (dry run)" } else { "" };
    log::info(&format!(
        "listening on {address}; the lease ends at {}{dry_run}",
        rfc3339(snapshot.anchor.wall_at(end))
    ));
}

/// The loop that looks at the machine and acts.
struct Watch {
    guard: Arc<Guard>,
    gpus: Option<Monitor>,
    servers: ModelServers,
    systemd: Notifier,
}

impl Watch {
    fn new(guard: &Arc<Guard>) -> std::io::Result<Self> {
        let interval = interval(&guard.config.policy);
        let gpus = guard.config.gpu.then(|| Monitor::start(NvidiaDriver::default(), interval)).transpose()?;
        Ok(Self {
            guard: Arc::clone(guard),
            gpus,
            servers: ModelServers::default(),
            systemd: Notifier::from_env(),
        })
    }

    async fn run(&mut self) {
        let interval = interval(&self.guard.config.policy);
        self.systemd.ready();
        if let Some(reason) = self.guard.ending() {
            log::warning("taking up an end that was begun before");
            tokio::spawn(ending::end(Arc::clone(&self.guard), reason, Vec::new()));
        }
        if let Some(gpus) = &self.gpus {
            gpus.wait_for_first().await;
        }
        loop {
            let look = self.look().await;
            let terminals = look.terminals.clone();
            match self.guard.observe(look) {
                Some(Action::Warn(plan)) => ending::warn(&self.guard, plan, terminals),
                Some(Action::End(reason)) => {
                    tokio::spawn(ending::end(Arc::clone(&self.guard), reason, terminals));
                }
                None => {}
            }
            self.systemd.alive();
            tokio::time::sleep(interval).await;
        }
    }

    async fn look(&mut self) -> Look {
        let config = &self.guard.config;
        let (gpu, gpus) = match &self.gpus {
            None => (Load::Quiet, Vec::new()),
            Some(monitor) => {
                let reading = monitor.take();
                (gpu::load(&reading, config.gpu_threshold), reading.unwrap_or_default())
            }
        };
        let logins = sessions::logins(config.utmp.as_deref());
        let sessions = if config.sessions { sessions::load(&logins) } else { Load::Quiet };
        let terminals = logins.unwrap_or_default().into_iter().map(|login| login.terminal).collect();
        let (models, model) = self.servers.look(&config.models).await;
        Look { observation: Observation { gpu, sessions, models }, gpus, model, terminals }
    }
}

/// How long to pause between two looks: ten seconds, less for limits of seconds.
fn interval(policy: &Policy) -> Duration {
    let shortest = policy.idle.map_or(policy.lease, |idle| idle.min(policy.lease));
    (shortest / 20).clamp(Duration::from_millis(100), Duration::from_secs(10))
}
