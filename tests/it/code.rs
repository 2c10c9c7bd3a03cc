//! `soong code`: an editor that stands in prints the command line with which it is run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;

/// Puts a program into the sandbox's `bin`.
fn put(sandbox: &Sandbox, name: &str, script: &str) {
    let file = sandbox.path("bin").join(name);
    sandbox.write(&file, format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A sandbox with the instance `dev` whose ssh reads the sandbox's `ssh_config`.
fn sandbox(instance: &Instance) -> Sandbox {
    let sandbox = Sandbox::with(instance);
    let ssh = tool("ssh");
    put(&sandbox, "ssh", &format!("exec {} -F \"$HOME/.ssh/config\" \"$@\"", ssh.display()));
    sandbox.write(&sandbox.path("home/.ssh/config"), "");
    sandbox
}

fn code<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.soong_with_bin(["code"]).args(args)
}

#[test]
fn the_editor_gets_the_host_and_a_directory_that_exists() {
    let instance = Instance::start();
    let sandbox = sandbox(&instance);
    code(&sandbox, &["dev"]).fails(1, ["no editor on PATH: code, "]).run();
    code(&sandbox, &["--editor", "zed"]).fails(1, ["zed is not on PATH"]).run();
    put(&sandbox, "cursor", "printf 'cursor %s\\n' \"$*\"; exit 7");
    put(&sandbox, "zed", "printf 'zed %s\\n' \"$*\"");
    code(&sandbox, &["dev"])
        .fails(1, ["ssh does not know the host soong-dev"])
        .hint("soong ssh config --install")
        .run();
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("").stderr_has("").run();

    code(&sandbox, &["dev"]).stdout("cursor --remote ssh-remote+soong-dev\n").code(7).run();
    let directory = sandbox.path("tmp/a b's");
    fs::create_dir(&directory).unwrap();
    let directory = directory.to_str().unwrap();
    let run = code(&sandbox, &["dev", directory]);
    run.stdout("cursor --remote ssh-remote+soong-dev [ROOT]/tmp/a b's\n").code(7).run();
    let run = code(&sandbox, &["--instance-id", "a1b2", "--editor", "zed"]);
    run.stdout("zed ssh://soong-dev/~\n").run();
    let printed = code(&sandbox, &["dev", directory, "--print"]).stdout_has("'[ROOT]/tmp/a b'").run();
    assert!(!printed.stdout.starts_with("cursor"), "{}", printed.stdout);

    let missing =
        code(&sandbox, &["dev", "no such $(touch x)"]).stderr_has("cannot open no such $(touch x) on dev");
    missing.stderr_has("hint: look at what is there: ssh soong-dev ls\n").code(1).run();
    code(&sandbox, &["nope"]).fails(1, ["no instance 'nope'"]).run();
}
