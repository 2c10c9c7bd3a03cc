//! Directories that others could tamper with or that cannot be written, and places with odd names.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{is_root, tool};

/// Any user but root.
const OTHER_USER: u32 = 65_534;

#[test]
fn a_runtime_directory_that_others_can_write_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let directory = sandbox.path("run/soong");
    fs::create_dir(&directory).unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        for command in ["start", "status", "stop", "restart"] {
            sandbox.tunnel([command]).fails(1, ["[ROOT]/run/soong"]).hint("chmod 700 [ROOT]/run/soong").run();
        }
    }
    sandbox.assert_idle();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    sandbox.start(&instance);
}

#[test]
fn a_runtime_directory_that_is_a_link_or_a_file_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let directory = sandbox.path("run/soong");
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o700)).unwrap();
    symlink(&elsewhere, &directory).unwrap();
    for command in ["start", "status", "stop"] {
        sandbox.tunnel([command]).fails(1, ["[ROOT]/run/soong"]).hint("").run();
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "nothing was written where the link leads");
    fs::remove_file(&directory).unwrap();
    fs::write(&directory, "").unwrap();
    sandbox.tunnel(["start"]).fails(1, ["[ROOT]/run/soong"]).hint("").run();
    assert_eq!(fs::read(&directory).unwrap(), b"", "the user's file is unchanged");
    sandbox.assert_idle();
}

/// Only root can give a directory away.
#[test]
fn a_runtime_directory_of_somebody_else_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    if is_root() {
        let directory = sandbox.path("run/soong");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        chown(&directory, Some(OTHER_USER), None).unwrap();
        for command in ["start", "status", "stop"] {
            sandbox
                .tunnel([command])
                .fails(1, ["[ROOT]/run/soong", "another user"])
                .hint("XDG_RUNTIME_DIR")
                .run();
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir(&directory).unwrap();
    }
    sandbox.assert_idle();
}

#[test]
fn a_home_that_can_not_be_written_is_told() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    assert_read_only_home_is_told(&sandbox);
    assert_eq!(instance.sshd.logins(), 0);
    // With all directories made by an earlier start, only files cannot be written; and a tunnel needs none.
    sandbox.start(&instance);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    let home = ReadOnly::new(sandbox.home());
    let start = start_as_everybody(&sandbox).stdout(sandbox.started(&instance));
    start.stderr_has("warning: cannot open [ROOT]/home").run();
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    drop(home);
    sandbox.start(&instance);
}

#[track_caller]
fn assert_read_only_home_is_told(sandbox: &Sandbox) {
    let _home = ReadOnly::new(sandbox.home());
    start_as_everybody(sandbox).fails(1, ["soong-tunnel: cannot ", "[ROOT]/home"]).run();
    sandbox.assert_idle();
}

/// A start that permissions stop, as they do not stop root.
fn start_as_everybody(sandbox: &Sandbox) -> Run<'_> {
    let start = sandbox.tunnel(["start"]);
    if is_root() {
        return start.through(&tool("setpriv"), ["--bounding-set=-all", "--inh-caps=-all"]);
    }
    start
}

/// A directory of which nothing can be written, until this is dropped.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn new(directory: PathBuf) -> Self {
        set_modes(&directory, 0o500, 0o400);
        Self(directory)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        set_modes(&self.0, 0o700, 0o600);
    }
}

/// Sets the modes of `directory` and all directories below it, and of all files.
fn set_modes(directory: &Path, directories: u32, files: u32) {
    fs::set_permissions(directory, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            set_modes(&entry.path(), directories, files);
        } else {
            fs::set_permissions(entry.path(), Permissions::from_mode(files)).unwrap();
        }
    }
    fs::set_permissions(directory, Permissions::from_mode(directories)).unwrap();
}

/// A home such as `/Users/First Last`, and characters that ssh gives a meaning of their own in its arguments.
#[test]
fn places_may_have_odd_names() {
    let instance = Instance::start();
    for name in ["First Last", "100%h", "it's", "\"q\"", "a:b\\c", "#1"] {
        let sandbox = Sandbox::with(&instance);
        let (home, runtime) = (sandbox.path("tmp").join(name), sandbox.runtime().join(name));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, Permissions::from_mode(0o700)).unwrap();
        let soong = |command| {
            let run = sandbox.tunnel([command]).env("SOONG_CONFIG", sandbox.config_file());
            run.env("HOME", &home).env("XDG_RUNTIME_DIR", &runtime)
        };
        soong("start").stdout(sandbox.started(&instance)).run();
        assert_eq!(get(&sandbox.url(0, "id")), "sglang", "{name}");
        soong("stop").stdout("Stopped tunnel (PID: [PID])\n").run();
        soong("start").stdout(sandbox.started(&instance)).run();
        soong("stop").stdout("Stopped tunnel (PID: [PID])\n").run();
        sandbox.assert_idle();
    }
}

#[test]
fn a_place_that_ssh_can_not_be_told_of_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let odd = sandbox.path("tmp/${HOME}");
    fs::create_dir(&odd).unwrap();
    fs::set_permissions(&odd, Permissions::from_mode(0o700)).unwrap();
    for variable in ["XDG_RUNTIME_DIR", "XDG_STATE_HOME"] {
        let start = sandbox.tunnel(["start"]).env(variable, &odd);
        start.fails(1, ["[ROOT]/tmp/${HOME}/soong"]).hint("${").run();
    }
    sandbox.assert_idle();
}

/// A socket's path has to fit into about a hundred bytes, whatever the runtime directory is called.
#[test]
fn a_runtime_directory_with_a_long_name_works_or_is_refused_with_a_reason() {
    let instance = Instance::start();
    for length in [20, 40, 60, 80, 120, 200] {
        let sandbox = Sandbox::with(&instance);
        let directory = sandbox.runtime().join("x".repeat(length));
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        let soong = |command| sandbox.tunnel([command]).env("XDG_RUNTIME_DIR", &directory);
        let output = soong("start").unchecked();
        if output.code == 0 {
            assert_eq!(get(&sandbox.url(0, "id")), "sglang", "{length}");
            soong("stop").stdout("Stopped tunnel (PID: [PID])\n").run();
        } else {
            soong("start").fails(1, ["too long"]).hint("XDG_RUNTIME_DIR").run();
        }
        sandbox.assert_idle();
    }
}
