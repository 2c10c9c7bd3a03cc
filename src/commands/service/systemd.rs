//! systemd user units.
//!
//! The files are written here instead of by `systemctl enable`, which fails where no user manager runs, as in a container
//! or after `su`: the unit then starts with the next login.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use nix::unistd::geteuid;

use super::definition::{Definition, Launch};
use super::file::{Change, write};
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};
use crate::terminal::printable;

/// Target that a user manager starts with.
const TARGET: &str = "default.target.wants";

/// The user's units.
pub struct Systemd {
    directory: PathBuf,
}

impl Systemd {
    /// Returns the units of this user.
    pub fn new(paths: &Paths) -> Self {
        Self { directory: paths.expand("~/.config/systemd/user") }
    }

    /// Returns the file of `label`.
    pub fn file(&self, label: &str) -> PathBuf {
        self.directory.join(format!("{label}.service"))
    }

    /// Returns the directory of the files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes the unit and has it start at login. Tells the user manager, if one runs.
    pub fn install(&self, definition: &Definition, launch: &Launch) -> Result<Change> {
        let label = definition.label();
        let file = self.file(&label);
        let mut change = write(&file, &unit(definition, launch))?;
        let link = self.link(&label);
        if fs::read_link(&link).is_err() {
            let at_fault = |error| Error::io("create", &link, error);
            fs::create_dir_all(self.directory.join(TARGET)).map_err(at_fault)?;
            symlink(Path::new("..").join(format!("{label}.service")), &link).map_err(at_fault)?;
            change = change.max(Change::Enabled);
        }
        Ok(change)
    }

    /// Starts the service, or restarts it if its file has changed. Returns false without a user manager.
    pub fn start(label: &str, change: Change) -> Result<bool> {
        if control(&["daemon-reload"]).is_err() {
            return Ok(false);
        }
        let verb = if change == Change::Rewritten { "restart" } else { "start" };
        control(&[verb, &format!("{label}.service")]).map(|()| true)
    }

    /// Stops the service and removes its files.
    pub fn uninstall(&self, label: &str) -> Result<()> {
        let unit = format!("{label}.service");
        let has_manager = control(&["stop", &unit]).is_ok();
        for file in [self.link(label), self.file(label)] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &file, error));
                }
                _ => {}
            }
        }
        if has_manager {
            control(&["daemon-reload"])?;
            // Of a unit that had failed, nothing else is left.
            let _ = control(&["reset-failed", &unit]);
        }
        Ok(())
    }

    /// Returns true if the service starts at login.
    pub fn is_enabled(&self, label: &str) -> bool {
        fs::symlink_metadata(self.link(label)).is_ok()
    }

    /// Returns systemd's word for the state of the service; `None` without a user manager.
    pub fn state(label: &str) -> Option<String> {
        let output = systemctl(&["is-active", &format!("{label}.service")]).output().ok()?;
        let word = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!word.is_empty()).then_some(word)
    }

    fn link(&self, label: &str) -> PathBuf {
        self.directory.join(TARGET).join(format!("{label}.service"))
    }
}

/// Returns true if this machine has systemd.
pub fn is_there() -> bool {
    paths::find_program("systemctl").is_some()
}

/// Returns `systemctl --user` with `words`.
fn systemctl(words: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command.arg("--user").args(words).stdin(Stdio::null()).stderr(Stdio::piped());
    // It finds the manager there, which `su` and cron jobs do not say.
    let runtime = format!("/run/user/{}", geteuid());
    if !paths::has_runtime_variable() && Path::new(&runtime).is_dir() {
        command.env("XDG_RUNTIME_DIR", runtime);
    }
    command
}

fn control(words: &[&str]) -> Result<()> {
    let output = systemctl(words).output().map_err(|error| Error::cannot("run systemctl", error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().next().unwrap_or("no reason given").trim_end_matches('.');
    Err(Error::failed(format!("systemctl --user {}: {}", words.join(" "), printable(line)))
        .with_hint(format!("see why: systemctl --user status {}", words.last().unwrap_or(&""))))
}

/// Returns the text of the unit.
fn unit(definition: &Definition, launch: &Launch) -> String {
    // systemd expands variables in arguments only.
    let mut command = vec![quoted(&launch.program.to_string_lossy())];
    command.extend(definition.arguments().iter().map(|word| quoted(word).replace('$', "$$")));
    let mut environment = String::new();
    for (name, value) in &launch.environment {
        let _ = writeln!(environment, "Environment={}", quoted(&format!("{name}={value}")));
    }
    // The name is not last: a backslash at the end would join the next line.
    let name = printable(&definition.name).replace('%', "%%");
    format!(
        "# {}
# Changes are lost with the next 'soong service install'.
[Unit]
Description=Tunnel to {name} (soong)
Documentation=man:soong-service(1)

[Service]
Type=exec
ExecStart={}
{environment}Restart=on-failure
RestartSec=5
# Failures that a restart cannot mend, and a missing program.
RestartPreventExitStatus=1 2 3 126 127 203
# The supervisor ends ssh; hooks may go on after it.
KillMode=process

[Install]
WantedBy=default.target
",
        definition.comment(),
        command.join(" "),
    )
}

/// Returns `word` quoted for a unit (`systemd.syntax(7)`, `systemd.service(5)`): C-style escapes, and doubled percent
/// signs.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
            c => text.push(c),
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::service::definition::tests::hostile;

    #[test]
    fn what_a_unit_could_take_for_its_own_is_quoted() {
        let launch = Launch {
            program: "/opt/my $programs/soong".into(),
            environment: vec![("PATH".into(), "/a b:/50%/$x".into())],
            output: "/log".into(),
        };
        let unit = unit(&hostile(), &launch);
        let line = |start: &str| unit.lines().find_map(|line| line.strip_prefix(start)).unwrap();
        assert_eq!(
            line("ExecStart="),
            r#""/opt/my $programs/soong" "tunnel" "start" "--foreground" "--keep-trying" "--instance-id=--x$$y\x0a'`id`\x1bé" "--on-demand=1h 30m""#
        );
        assert_eq!(line("Environment="), r#""PATH=/a b:/50%%/$x""#);
        assert_eq!(line("Description="), r#"Tunnel to my -- "$box" <&> %%n \ (soong)"#);
        assert!(!unit.lines().any(|line| line.ends_with('\\')), "{unit}");
        assert_eq!(Definition::read(&unit), Some(hostile()));
    }
}
