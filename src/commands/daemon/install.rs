//! `soong daemon install` and `upgrade`: probe, upload, install, prove; roll back if there is no proof.

use std::path::Path;
use std::time::{Duration, Instant};

use super::arguments::{Install, Upgrade};
use super::binary::{Binary, Candidates};
use super::remote::{Answer, Remote, quoted};
use super::setting::{PROBE, Setting};
use crate::command_line;
use crate::config::credentials::Secret;
use crate::config::token_store;
use crate::daemon::{self, client};
use crate::error::{Error, Result};
use crate::runtime::registry;
use crate::runtime::state::Facts;
use crate::system::time;
use crate::terminal::{print_error, printable};

const UPLOAD: &str = include_str!("upload.sh");
const INSTALL: &str = include_str!("install.sh");
const ROLLBACK: &str = include_str!("rollback.sh");
const UNIT: &str = include_str!("soong-statusd.service");

/// The longest a started daemon may take to answer.
const PROOF_TIME: Duration = Duration::from_secs(15);

/// Installs the daemon.
pub(super) fn install(arguments: &Install, setting: &Setting) -> Result<()> {
    let config = configuration(arguments, setting)?;
    put(setting, &arguments.target.root, arguments.binary.as_deref(), &config, false)?;
    Ok(())
}

/// Replaces an installed daemon.
pub(super) fn upgrade(arguments: &Upgrade, setting: &Setting) -> Result<()> {
    put(setting, &arguments.target.root, arguments.binary.as_deref(), "", true)
}

fn put(setting: &Setting, root: &str, binary: Option<&Path>, config: &str, is_upgrade: bool) -> Result<()> {
    let name = printable(&setting.instance.name).into_owned();
    let candidates = Candidates::find(binary)?;
    let remote = Remote::new(&setting.instance);
    let machine = remote.run(PROBE, &[], b"")?;
    let binary = candidates.choose(machine.get("system"), machine.get("machine"))?;
    let root_remote = setting.root_with(Remote::new(&setting.instance), root, &machine)?;
    let uploaded = upload(&remote, &binary)?;
    let token = match client::own_token(&setting.instance, &setting.paths)? {
        Some(token) => token,
        None => token_store::generate()?,
    };
    let unit = UNIT.replace("@ROOT@", root);
    let upgrade = if is_upgrade { "yes" } else { "no" };
    let arguments = [root, uploaded.get("directory"), config, &unit, upgrade];
    let answer = root_remote.run(INSTALL, &arguments, format!("{}\n", token.expose()).as_bytes())?;
    let token = Secret::new(answer.get("token"))
        .ok_or_else(|| Error::failed(format!("{name} returned no token; check /etc/soong/token there")))?;
    token_store::store_token(&setting.paths, &setting.instance.id, Some(&token))?;
    if answer.get("config") == "kept" && !is_upgrade {
        print_error("Kept the configuration on the instance: /etc/soong/statusd.toml\n");
    }
    if answer.get("systemd") == "no" {
        return Err(Error::failed(format!(
            "{name} has no systemd: the daemon is installed, but not started"
        ))
        .with_hint("run it as root there: /usr/local/bin/soong-statusd --config /etc/soong/statusd.toml"));
    }
    prove(setting, &root_remote, root, &token, &answer, uploaded.get("version"))
}

/// Copies the program to the instance and runs it there once.
fn upload(remote: &Remote<'_>, binary: &Binary) -> Result<Answer> {
    let size = binary.bytes.len().to_string();
    remote.run(UPLOAD, &[&size], &binary.bytes).map_err(|error| {
        if error.to_string().contains("GLIBC_") {
            error.with_hint("build it on a system as old as the instance, or static (docs/guard.md)")
        } else {
            error
        }
    })
}

/// Waits for an answer of the daemon; without one, restores the state before.
fn prove(
    setting: &Setting,
    remote: &Remote<'_>,
    root: &str,
    token: &Secret,
    answer: &Answer,
    version: &str,
) -> Result<()> {
    let name = printable(&setting.instance.name).into_owned();
    let facts = if answer.get("started") == "no" {
        Err(Error::failed("systemctl cannot start it"))
    } else {
        first_facts(setting, token, version)
    };
    let facts = match facts {
        Ok(facts) => facts,
        Err(reason) => {
            let restored = remote.run(ROLLBACK, &[root], b"").is_ok_and(|answer| answer.is("restored"));
            let state = if restored { "the old version runs again" } else { "nothing is installed" };
            return Err(Error::failed(format!("the daemon on {name} does not work: {reason}; {state}"))
                .with_hint(format!("read its log: soong daemon logs {}", quoted(&setting.instance.name))));
        }
    };
    registry::refresh(&setting.paths, &setting.instance);
    let what = if answer.is("unchanged") { "already guards" } else { "now guards" };
    let mut text = format!("soong-statusd {} {what} {name}\n", printable(version));
    if let Some(end) = facts.lease_end {
        text.push_str(&format!("The lease ends at {}\n", time::clock_and_distance(end, time::now())));
    }
    command_line::print(&text)
}

/// Returns the first answer of the daemon that has the right version.
fn first_facts(setting: &Setting, token: &Secret, version: &str) -> Result<Facts> {
    const PAUSE: Duration = Duration::from_millis(300);
    let deadline = Instant::now() + PROOF_TIME;
    loop {
        let answer = setting.send(&daemon::status_request(token.expose()));
        let facts = answer.and_then(|answer| {
            let found = daemon::version(&answer)?;
            if found == version {
                daemon::facts(&answer)
            } else {
                Err(Error::failed(format!("version {} answers", printable(&found))))
            }
        });
        match facts {
            Ok(facts) => return Ok(facts),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Returns the configuration of a new installation.
fn configuration(arguments: &Install, setting: &Setting) -> Result<String> {
    let root = &arguments.target.root;
    let port = client::port(&setting.config.services)?;
    let text = |text: &str| toml_edit::Value::from(text).to_string();
    let mut config = format!(
        "# Written by soong daemon install; soong-statusd(8) describes the keys.\n\
         token-file = {}\ninstance-id = {}\nlisten = \"127.0.0.1:{port}\"\n",
        text(&format!("{root}/etc/soong/token")),
        text(&setting.instance.id),
    );
    if !root.is_empty() {
        config.push_str(&format!("state = {}\n", text(&format!("{root}/var/lib/soong"))));
    }
    let lengths = [("lease", arguments.lease), ("limit", arguments.limit), ("idle", arguments.idle)];
    for (key, length) in lengths.into_iter().filter_map(|(key, length)| Some((key, length?))) {
        config.push_str(&format!("{key} = \"{}\"\n", humantime::format_duration(length)));
    }
    if let Some(models) = setting.config.services.iter().find(|service| service.name == "sglang") {
        config.push_str(&format!("models = [\"http://127.0.0.1:{}\"]\n", models.remote));
    }
    if arguments.no_gpu {
        config.push_str("gpu = false\n");
    }
    if arguments.dry_run {
        config.push_str("dry-run = true\n");
    }
    Ok(config)
}
