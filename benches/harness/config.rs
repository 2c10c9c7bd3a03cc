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

fn write_to(sandbox: &Sandbox, sshd: &Sshd, host: &str, port: u16, services: &str) -> Result<()> {
    let user = user()?;
    let directory = sandbox.path(".config/soong");
    std::fs::create_dir_all(&directory).map_err(|error| Error::io("create", &directory, error))?;
    let key = sshd.key.display();
    sandbox.write(
        ".config/soong/config.toml",
        &format!(
            "[ssh]\nkey = \"{key}\"\n[services]\n{services}\
             [instances.bench]\nhost = \"{host}\"\nuser = \"{user}\"\nport = {port}\n"
        ),
    )?;
    Ok(())
}

/// Returns the name of the user who runs the benchmark.
pub fn user() -> Result<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    let user = user.map_err(|errno| failed("tell who runs this", errno.into()))?;
    Ok(user.ok_or_else(|| Error::failed("this user has no name"))?.name)
}
