//! `soong configure`: what it writes, what it refuses, what it asks, and whom it lets see what.

mod edit;
mod files;
mod import;
mod provider;
mod secrets;
mod settings;
mod wizard;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::run::{Output, Run};
use crate::support::sandbox::Sandbox;
use crate::support::tools;

/// A config that a user wrote by hand, with comments and a layout to keep.
const WITH_CARE: &str = "\
# My tunnels.

[services] # what I use
n8n = false   # never

# at home only
[ssh]
  port   =  22 # theirs
user = \"me\"

[instances.dev]
# rented by the hour
host = \"192.0.2.7\"

# the end
";

/// A home with this config.
fn home(config: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(&sandbox.config_file(), config);
    sandbox
}

impl Sandbox {
    /// `soong configure ARGS`.
    fn conf<const N: usize>(&self, args: [&str; N]) -> Run<'_> {
        self.soong(["configure"]).args(args)
    }

    /// The text of the config.
    fn config_text(&self) -> String {
        fs::read_to_string(self.config_file()).unwrap()
    }

    /// Where the secrets are.
    fn credentials_file(&self) -> PathBuf {
        self.config_file().with_file_name("credentials.toml")
    }

    /// A new key pair of this name in `~/.ssh`.
    fn key(&self, name: &str, passphrase: &str) -> PathBuf {
        let file = self.home().join(".ssh").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut command = Command::new(tools::tool("ssh-keygen"));
        command.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&file);
        assert!(command.status().unwrap().success());
        file
    }
}

/// Runs the command with `input` on its standard input, and compares.
#[track_caller]
fn fed(run: &Run<'_>, input: &str) -> Output {
    let mut command = run.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses does not read to the end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = Output::from(&child.wait_with_output().unwrap());
    run.compare(&output);
    output
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}
