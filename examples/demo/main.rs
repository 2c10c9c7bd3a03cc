//! `make demo`: a tour of `soong tunnel` that needs no instance, no account and no network.
//!
//! An SSH server inside this program plays the rented machine (`instance`, `relay`) and offers three
//! small services (`services`, `http`). In a temporary home directory (`home`) the tour (`tour`) then
//! runs the real `soong` programs against it and shows what they say (`screen`). Nothing is left
//! behind, whether the tour ends, fails, or is interrupted.

mod home;
mod http;
mod instance;
mod relay;
mod screen;
mod services;
mod tour;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey};
use tokio::signal::unix::{Signal, SignalKind, signal};

use home::Home;
use instance::{Instance, Setup};
use screen::Screen;
use services::Services;

/// What the status daemon of the demo's instance asks for.
const TOKEN: &str = "demo-token";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let screen = Screen::new();
    match demo(&screen).await {
        Ok(code) => code,
        Err(error) => {
            screen.failure(&error.to_string(), "");
            ExitCode::FAILURE
        }
    }
}

/// Sets everything up, runs the tour, and takes everything down again.
async fn demo(screen: &Screen) -> Result<ExitCode, Box<dyn Error>> {
    let mut interruption = Interruption::listen()?;
    let services = Services::start(TOKEN).await?;
    let user_key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
    let instance = Instance::start(Setup {
        port: 0,
        host_key: PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?,
        user_key: user_key.public_key().clone(),
        services: services.addresses(),
    })
    .await?;
    let mut home = Home::create(&user_key, &config(instance.port()))?;

    let outcome = tokio::select! {
        biased;
        code = interruption.code() => Ok(Some(code)),
        result = tour::tour(screen, &mut home, &instance, TOKEN) => result.map(|()| None),
    };
    let code = report(screen, &home, outcome);
    home.close(screen).await?;
    instance.stop().await;
    if code == ExitCode::SUCCESS {
        screen.explain("That was the tour. The temporary home is gone, and nothing runs any more.\nREADME.md says how to do the same with an instance of yours.");
    }
    Ok(code)
}

/// The whole configuration of the tour's user.
fn config(port: u16) -> String {
    format!(
        "[instances.demo]\n\
         host = \"127.0.0.1\"\n\
         port = {port}\n\
         \n\
         [ssh]\n\
         options = \"-F none\"  # the tour leaves your own ~/.ssh/config aside\n"
    )
}

/// Says how the tour ended, unless it went well, and returns the exit code for it.
fn report(screen: &Screen, home: &Home, outcome: Result<Option<u8>, Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(code)) => {
            screen.explain("Interrupted. Taking everything down again.");
            ExitCode::from(code)
        }
        Err(error) => {
            screen.failure(&error.to_string(), &home.logs());
            ExitCode::FAILURE
        }
    }
}

/// The signals that end a program on a terminal.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Interruption {
    /// From here on the signals are noted, and no longer end the program.
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them, and returns the exit code a shell would give for it.
    async fn code(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 128 + 2,
            _ = self.terminate.recv() => 128 + 15,
            _ = self.hang_up.recv() => 128 + 1,
        }
    }
}
