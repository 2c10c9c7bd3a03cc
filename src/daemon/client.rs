//! Requests of commands: chooses the token, then the way.

use crate::config::credentials::{Credentials, Secret};
use crate::config::instance::Instance;
use crate::config::{Config, Service, token_store};
use crate::daemon::exchange;
use crate::error::{Error, Result};
use crate::openssh::Login;
use crate::runtime::registry;
use crate::system::paths::Paths;
use crate::system::spinner::Spinner;
use crate::terminal::{self, printable};

/// Service name of the daemon among the forwards of a tunnel.
pub const SERVICE: &str = "status";

/// Returns the token for the daemon of the instance `id`, called `name`: its own, or the global one if the config names the
/// instance. Otherwise any instance that a provider lists would learn the token of all.
pub fn token(id: &str, name: &str, config: &Config, paths: &Paths) -> Result<Option<Secret>> {
    let mut credentials = Credentials::load(paths)?;
    if let Some(own) = credentials.instance_tokens.remove(id) {
        return Ok(Some(own));
    }
    Ok(credentials.daemon_token.filter(|_| config.names(id, name)))
}

/// Returns the own token of the daemon of `instance`.
pub fn own_token(instance: &Instance, paths: &Paths) -> Result<Option<Secret>> {
    Ok(Credentials::load(paths)?.instance_tokens.remove(&instance.id))
}

/// Returns the token, or an error that says how to get one. Asks whether to send the global one to an instance that
/// the config does not name; a yes makes it the instance's own.
pub fn require_token(instance: &Instance, config: &Config, paths: &Paths) -> Result<Secret> {
    if let Some(token) = token(&instance.id, &instance.name, config, paths)? {
        return Ok(token);
    }
    let name = printable(&instance.name).into_owned();
    let word = printable(&shell_words::quote(&instance.name)).into_owned();
    let missing = Error::failed(format!("no token for the status daemon of {name} is configured"))
        .with_hint(format!("install a daemon there: soong daemon install {word}"));
    let Some(global) = Credentials::load(paths)?.daemon_token else {
        return Err(missing.with_hint(
            "or store the token of the instances in config.toml: soong configure set daemon.token",
        ));
    };
    let question = format!(
        "{name} has no token of its own, and config.toml does not name it. \
         Send it daemon.token, the token of your other instances?"
    );
    let answer = terminal::confirm_with(&question, false).map_err(|source| Error::cannot("ask", source))?;
    if answer != Some(true) {
        return Err(missing.with_hint("or run this in a terminal and allow it to send daemon.token there"));
    }
    token_store::store_token(paths, &instance.id, Some(&global))?;
    Ok(global)
}

/// Sends `request` to the daemon on `instance`, through the tunnel if it is up and otherwise over an ssh of
/// its own; returns the answer.
pub fn send(instance: &Instance, config: &Config, paths: &Paths, request: &[u8]) -> Result<Vec<u8>> {
    let _spinner = Spinner::watching(&format!("Asking the status daemon of {}", printable(&instance.name)));
    if let Some(socket) = registry::forward_to(paths, instance, SERVICE)? {
        return exchange::through_tunnel(&socket, instance, request);
    }
    let port = port(&config.services)?;
    paths.ensure_state()?;
    exchange::through_ssh(&Login::resolve(instance, &config.ssh, paths)?, port, request)
}

/// Returns the port of the daemon on instances.
pub fn port(services: &[Service]) -> Result<u16> {
    let service = services.iter().find(|service| service.name == SERVICE);
    service.map(|service| service.remote).ok_or_else(|| {
        Error::failed("the service 'status' is disabled in config.toml")
            .with_hint("remove 'status = false' from [services]")
    })
}
