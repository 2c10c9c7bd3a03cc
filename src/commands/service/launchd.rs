//! launchd agents.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use nix::unistd::geteuid;

use super::definition::{Definition, Launch};
use super::file::{Change, write};
use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// The user's agents.
pub struct Launchd {
    directory: PathBuf,
}

impl Launchd {
    /// Returns the agents of this user.
    pub fn new(paths: &Paths) -> Self {
        Self { directory: paths.expand("~/Library/LaunchAgents") }
    }

    /// Returns the file of `label`.
    pub fn file(&self, label: &str) -> PathBuf {
        self.directory.join(format!("{label}.plist"))
    }

    /// Returns the directory of the files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes the agent, which starts at login.
    pub fn install(&self, definition: &Definition, launch: &Launch) -> Result<Change> {
        write(&self.file(&definition.label()), &agent(definition, launch))
    }

    /// Loads the agent, which starts it. Returns false without a graphical session.
    pub fn start(&self, label: &str, change: Change) -> Result<bool> {
        let domain = domain();
        if launchctl(&["print", &domain]).is_err() {
            return Ok(false);
        }
        let target = format!("{domain}/{label}");
        let is_loaded = launchctl(&["print", &target]).is_ok();
        if is_loaded && change == Change::Rewritten {
            launchctl(&["bootout", &target])?;
        } else if is_loaded {
            // Does nothing if it runs.
            return launchctl(&["kickstart", &target]).map(|()| true);
        }
        launchctl(&["bootstrap", &domain, &self.file(label).to_string_lossy()]).map(|()| true)
    }

    /// Stops the agent and removes its file.
    pub fn uninstall(&self, label: &str) -> Result<()> {
        let _ = launchctl(&["bootout", &format!("{}/{label}", domain())]);
        let file = self.file(label);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &file, error)),
            _ => Ok(()),
        }
    }

    /// Returns true if the agent is there; then it starts at login.
    pub fn is_enabled(&self, label: &str) -> bool {
        self.file(label).exists()
    }

    /// Returns launchd's word for the state of the agent; `None` if it is not loaded.
    pub fn state(label: &str) -> Option<String> {
        let output = command(&["print", &format!("{}/{label}", domain())]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.trim().strip_prefix("state = ")).map(str::to_owned)
    }
}

fn domain() -> String {
    format!("gui/{}", geteuid())
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new("launchctl");
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn launchctl(words: &[&str]) -> Result<()> {
    let output = command(words).output().map_err(|error| Error::cannot("run launchctl", error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = printable(said.lines().next().unwrap_or("no reason given")).into_owned();
    Err(Error::failed(format!("launchctl {}: {line}", words.join(" "))))
}

/// Returns the text of the agent (`launchd.plist(5)`). launchd cannot tell exit codes apart, so it starts the tunnel
/// again after a crash only.
fn agent(definition: &Definition, launch: &Launch) -> String {
    let mut command = vec![launch.program.to_string_lossy().into_owned()];
    command.extend(definition.arguments());
    let (mut arguments, mut environment) = (String::new(), String::new());
    for word in &command {
        let _ = writeln!(arguments, "    <string>{}</string>", escaped(word));
    }
    for (name, value) in &launch.environment {
        let _ = writeln!(environment, "    <key>{name}</key>\n    <string>{}</string>", escaped(value));
    }
    let (label, output) = (definition.label(), escaped(&launch.output.to_string_lossy()));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- {} -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{label}</string>
  <key>ProgramArguments</key>
  <array>
{arguments}  </array>
  <key>EnvironmentVariables</key>
  <dict>
{environment}  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>Crashed</key>
    <true/>
  </dict>
  <key>ProcessType</key>
  <string>Interactive</string>
  <key>AbandonProcessGroup</key>
  <true/>
  <key>StandardErrorPath</key>
  <string>{output}</string>
</dict>
</plist>
"#,
        definition.comment()
    )
}

/// Returns `text` for XML, which cannot contain most control characters.
fn escaped(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::service::definition::tests::hostile;

    #[test]
    fn what_xml_could_take_for_its_own_is_escaped() {
        let launch = Launch {
            program: "/opt/a & b/soong".into(),
            environment: vec![("PATH".into(), "/<x>".into())],
            output: "/log".into(),
        };
        let text = agent(&Definition { id: "a<b".into(), ..hostile() }, &launch);
        for line in [
            "<string>/opt/a &amp; b/soong</string>",
            "<string>--instance-id=a&lt;b</string>",
            "<string>/&lt;x&gt;</string>",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert_eq!(Definition::read(&text).unwrap().name, hostile().name);
        // One comment: no double hyphen between its ends.
        let comment = text.split("<!-- ").nth(1).unwrap().split("-->").next().unwrap();
        assert!(!comment.contains("--"), "{comment}");
    }
}
