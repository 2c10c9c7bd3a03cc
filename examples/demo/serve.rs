//! `demo --serve`: the instance and the home directory without the tour, for `docs/pictures`.
//!
//! Prints the home directory, then obeys a word per line on standard input: `down` takes the instance
//! down with all its connections, `up` starts it again on the same port. Ends with its input.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey};
use tokio::task::spawn_blocking;

use crate::TOKEN;
use crate::home::Home;
use crate::instance::Setup;
use crate::machine::Machine;
use crate::screen::{Screen, output};
use crate::services::Services;

/// Serves until standard input ends.
pub async fn serve() -> Result<ExitCode, Box<dyn Error>> {
    let services = Services::start(TOKEN).await?;
    let user_key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
    let host_key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
    let setup =
        Setup { port: 0, host_key, user_key: user_key.public_key().clone(), services: services.addresses() };
    let mut machine = Machine::start(setup).await?;
    let home = Home::create(&user_key, &config(machine.port()))?;
    output(&format!("{}\n", home.path().display()));
    while let Some(word) = next_line().await? {
        match word.trim() {
            "down" => machine.turn_off().await,
            "up" => machine.turn_on().await?,
            _ => return Err("expected: down or up".into()),
        }
    }
    home.close(&Screen::new()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a line from standard input; `None` at its end.
async fn next_line() -> Result<Option<String>, Box<dyn Error>> {
    let read = spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|length| (length > 0).then_some(line))
    });
    Ok(read.await??)
}

/// Returns a `config.toml` in which the instance has a name instead of an address.
fn config(port: u16) -> String {
    format!(
        "[instances.dev]\n\
         host = \"gpu.example\"\n\
         port = {port}\n\
         \n\
         [ssh]\n\
         options = \"-F none -o HostName=127.0.0.1\"\n"
    )
}
