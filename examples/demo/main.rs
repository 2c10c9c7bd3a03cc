//! `make demo`: a tour of `soong tunnel` that needs no instance, no account and no network.
//!
//! An SSH server inside this program plays the rented machine (`machine`, `instance`, `relay`) and offers two
//! small services (`services`, `http`) and the real status daemon (`statusd`). The tour (`tour`) runs the real `soong` programs against it in a
//! temporary home directory (`home`) and shows their output (`screen`). It removes everything when it
//! ends, fails, or is interrupted.
//!
//! `demo --serve` provides the instance and the home directory without the tour (`serve`).

mod home;
mod http;
mod instance;
mod machine;
mod relay;
mod screen;
mod serve;
mod services;
mod stand_in;
mod statusd;
mod tour;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey};
use tokio::signal::unix::{Signal, SignalKind, signal};

use home::Home;
use instance::Setup;
use machine::Machine;
use screen::Screen;
use services::Services;

/// Bearer token of the status daemon.
const TOKEN: &str = "demo-token-of-16-characters";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let screen = Screen::new();
    let result = match std::env::args().nth(1).as_deref() {
        None => demo(&screen).await,
        Some("--serve") => serve::serve().await,
        Some(_) => Err("usage: demo [--serve]".into()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            screen.failure(&error.to_string(), "");
            ExitCode::FAILURE
        }
    }
}

/// Sets everything up, runs the tour, and cleans up.
async fn demo(screen: &Screen) -> Result<ExitCode, Box<dyn Error>> {
    let mut interruption = Interruption::listen()?;
    let services = Services::start(TOKEN).await?;
    let user_key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
    let mut machine = Machine::start(Setup {
        port: 0,
        host_key: PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?,
        user_key: user_key.public_key().clone(),
        services: services.addresses(),
    })
    .await?;
    let mut home = Home::create(&user_key, &config(machine.port()))?;

    let outcome = tokio::select! {
        biased;
        code = interruption.code() => Ok(Some(code)),
        result = tour::tour(screen, &mut home, &mut machine, TOKEN) => result.map(|()| None),
    };
    let code = report(screen, &home, outcome);
    home.close(screen).await?;
    machine.turn_off().await;
    if code == ExitCode::SUCCESS {
        screen.explain("This was the tour. The temporary home directory is removed.\ndocs/getting-started.md shows how to do the same with your own instance.");
    }
    Ok(code)
}

/// Returns the tour's `config.toml`.
fn config(port: u16) -> String {
    format!(
        "[instances.demo]\n\
         host = \"127.0.0.1\"\n\
         port = {port}\n\
         \n\
         [ssh]\n\
         options = \"-F none\"  # ignore your own ~/.ssh/config\n"
    )
}

/// Reports how the tour ended, unless it succeeded, and returns its exit code.
fn report(screen: &Screen, home: &Home, outcome: Result<Option<u8>, Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(code)) => {
            screen.explain("Interrupted. Cleaning up.");
            ExitCode::from(code)
        }
        Err(error) => {
            screen.failure(&error.to_string(), &home.logs());
            ExitCode::FAILURE
        }
    }
}

/// The signals that usually end a program on a terminal.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Interruption {
    /// Starts listening. From here on the signals no longer end the program.
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal and returns the exit code that a shell would report for it.
    async fn code(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 128 + 2,
            _ = self.terminate.recv() => 128 + 15,
            _ = self.hang_up.recv() => 128 + 1,
        }
    }
}
