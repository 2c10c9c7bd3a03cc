//! `soong ssh`: whatever it is asked, it does what ssh does, only sooner.

mod command;
mod hosts;
mod programs;
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;

/// A session over the tunnel and one over a separate connection, which must behave alike.
const CONNECTIONS: [bool; 2] = [true, false];

/// An instance, and a sandbox whose tunnel to it is up if `shared`. Its host key is known.
fn connected(shared: bool) -> (Instance, Sandbox) {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    if shared {
        sandbox.start(&instance);
    } else {
        let port = instance.sshd.port;
        let key = fs::read_to_string(instance.sshd.key().with_file_name("host_key.pub")).unwrap();
        let known_hosts = sandbox.path("home/.local/state/soong/known_hosts");
        sandbox.write(&known_hosts, format!("soong.a1b2c3d4 {key}[soong.a1b2c3d4]:{port} {key}"));
    }
    (instance, sandbox)
}

/// `ssh ARGUMENTS soong-dev COMMAND`, as the user of the sandbox would have it.
fn ssh<'a>(sandbox: &'a Sandbox, program: &str, arguments: &[&str]) -> Run<'a> {
    let config = sandbox.home().join(".ssh/config");
    let program = crate::support::tools::tool(program);
    Run::new(sandbox, &program, ["-F", path(&config)]).args(arguments)
}

/// Switches a provider on whose `list` runs `script`.
fn provider(sandbox: &mut Sandbox, script: &str) {
    let program = sandbox.path("bin/soong-provider-here");
    sandbox.write(&program, format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.configure(|config| {
        config.set(["providers", "here"], true);
    });
}

/// `soong ARGUMENTS`, for which providers are there.
fn soong<'a>(sandbox: &'a Sandbox, arguments: &[&str]) -> Run<'a> {
    let mut path = sandbox.path("bin").into_os_string();
    path.push(":");
    path.push(crate::support::tools::system_path());
    sandbox.soong(arguments).env("PATH", path)
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
