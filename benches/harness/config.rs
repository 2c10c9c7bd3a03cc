//! The `config.toml` of a benchmark.

use soong::error::{Error, Result};

use super::sandbox::{Sandbox, failed};
use super::sshd::Sshd;

/// Writes a config with one instance, which is `sshd`, and with `services`, a line each.
pub fn write(sandbox: &Sandbox, sshd: &Sshd, services: &str) -> Result<()> {
    write_for(sandbox, sshd, sshd.port, services)
}

/// Like [`write`], with an instance that is reached at `host`.
pub fn write_at(sandbox: &Sandbox, sshd: &Sshd, host: &str, services: &str) -> Result<()> {
    write_to(sandbox, sshd, host, sshd.port, services)
}

/// Like [`write`], with a port that leads to `sshd`.
pub fn write_for(sandbox: &Sandbox, sshd: &Sshd, port: u16, services: &str) -> Result<()> {
    write_to(sandbox, sshd, "127.0.0.1", port, services)
}

/// Writes a config file named `file` whose one instance is `sshd`, called `name`.
pub fn write_named(sandbox: &Sandbox, sshd: &Sshd, file: &str, name: &str, services: &str) -> Result<()> {
    let text = text(sshd, name, "127.0.0.1", sshd.port, services)?;
    sandbox.write(file, &text).map(drop)
}

fn write_to(sandbox: &Sandbox, sshd: &Sshd, host: &str, port: u16, services: &str) -> Result<()> {
    let directory = sandbox.path(".config/soong");
    std::fs::create_dir_all(&directory).map_err(|error| Error::io("create", &directory, error))?;
    let text = text(sshd, "bench", host, port, services)?;
    sandbox.write(".config/soong/config.toml", &text).map(drop)
}

fn text(sshd: &Sshd, name: &str, host: &str, port: u16, services: &str) -> Result<String> {
    let (key, user) = (sshd.key.display(), user()?);
    Ok(format!(
        "[ssh]\nkey = \"{key}\"\n[services]\n{services}\
         [instances.{name}]\nhost = \"{host}\"\nuser = \"{user}\"\nport = {port}\n"
    ))
}

/// Returns the name of the user who runs the benchmark.
pub fn user() -> Result<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    let user = user.map_err(|errno| failed("tell who runs this", errno.into()))?;
    Ok(user.ok_or_else(|| Error::failed("this user has no name"))?.name)
}
