//! The files themselves: several writers, links, what cannot be written, disks that are full.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::thread;

use super::{WITH_CARE, fed, home, mode};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools;

#[test]
fn changes_that_are_made_at_once_all_survive() {
    let sandbox = home(WITH_CARE);
    thread::scope(|scope| {
        for port in 1..=12 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                sandbox.soong(["configure", "set", &format!("services.s{port}"), &port.to_string()]).run()
            });
        }
        scope.spawn(|| fed(&sandbox.conf(["set", "daemon.token", "-"]), "token-1"));
        scope.spawn(|| {
            fed(
                &sandbox.conf(["set", "lambda.api-key", "-"]).stderr_has("set providers.lambda true"),
                "key-1",
            )
        });
    });
    for port in 1..=12 {
        sandbox.soong(["configure", "get", &format!("services.s{port}")]).stdout(format!("{port}\n")).run();
    }
    sandbox.conf(["get", "--reveal", "daemon.token"]).stdout("token-1\n").run();
    sandbox.conf(["get", "--reveal", "lambda.api-key"]).stdout("key-1\n").run();
    let text = sandbox.config_text();
    let others: String =
        text.lines().filter(|line| !line.starts_with('s')).map(|line| format!("{line}\n")).collect();
    assert_eq!(others, WITH_CARE);
}

#[test]
fn a_link_into_a_repository_stays_one_and_no_secret_follows_it() {
    let sandbox = home("");
    let real = sandbox.home().join("dotfiles/soong/config.toml");
    sandbox.write(&real, WITH_CARE);
    fs::set_permissions(&real, Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(sandbox.config_file()).unwrap();
    symlink("../../dotfiles/soong/config.toml", sandbox.config_file()).unwrap();
    sandbox.conf(["set", "ssh.port", "2222"]).run();
    fed(&sandbox.conf(["set", "daemon.token", "-"]), "token-1");
    assert_eq!(fs::read_link(sandbox.config_file()).unwrap(), Path::new("../../dotfiles/soong/config.toml"));
    assert_eq!(fs::read_to_string(&real).unwrap(), WITH_CARE.replace("  22 #", "  2222 #"));
    assert_eq!(mode(&real), 0o644);
    let names: Vec<_> =
        fs::read_dir(real.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["config.toml"]);
    assert!(sandbox.credentials_file().exists());
}

#[test]
fn a_file_that_is_read_only_is_left_alone() {
    let sandbox = home(WITH_CARE);
    fs::set_permissions(sandbox.config_file(), Permissions::from_mode(0o444)).unwrap();
    sandbox
        .conf(["set", "ssh.port", "2222"])
        .fails(1, ["cannot write [ROOT]/home/.config/soong/config.toml: it is read-only"])
        .hint("chmod u+w [ROOT]/home/.config/soong/config.toml")
        .run();
    assert_eq!(sandbox.config_text(), WITH_CARE);
    sandbox.conf(["get", "ssh.port"]).stdout("22\n").run();
}

#[test]
fn what_is_no_file_is_told() {
    let sandbox = home("");
    fs::remove_file(sandbox.config_file()).unwrap();
    fs::create_dir(sandbox.config_file()).unwrap();
    sandbox.conf(["set", "ssh.port", "2222"]).fails(1, ["config.toml"]).run();
}

/// The config directory of a user who may read but not write there.
#[test]
fn a_directory_that_is_read_only_can_be_read_and_says_what_it_is() {
    let sandbox = home(WITH_CARE);
    if tools::is_root() {
        // Modes do not bind root; a mount does.
        let on_read_only = |args: &[&str]| {
            let directory = sandbox.config_file().parent().unwrap().display().to_string();
            let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\"";
            in_namespace(&sandbox, script, &directory, args)
        };
        on_read_only(&["get", "ssh.port"]).stdout("22\n").run();
        on_read_only(&["set", "ssh.port", "1"])
            .fails(1, ["cannot write", "Read-only file system"])
            .hint("SOONG_CONFIG")
            .run();
    } else {
        let directory = sandbox.config_file().parent().unwrap().to_owned();
        fs::set_permissions(&directory, Permissions::from_mode(0o500)).unwrap();
        sandbox.conf(["get", "ssh.port"]).stdout("22\n").run();
        sandbox
            .conf(["set", "ssh.port", "1"])
            .fails(1, ["cannot write", "Permission denied"])
            .hint("ls -ld")
            .run();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(sandbox.config_text(), WITH_CARE);
}

#[test]
fn a_disk_that_is_full_leaves_the_old_file() {
    let long = format!("{WITH_CARE}# {}\n", "x".repeat(20_000));
    let sandbox = home(&long);
    if tools::is_root() {
        // A separate file system with room for one copy of the config, but not for two.
        let directory = sandbox.config_file().parent().unwrap().display().to_string();
        let script = "cp \"$0/config.toml\" \"$0/../kept\" && mount -t tmpfs -o size=32k tmpfs \"$0\" \
                      && cp \"$0/../kept\" \"$0/config.toml\" && { \"$@\"; code=$?; } ; \
                      cmp \"$0/../kept\" \"$0/config.toml\" && ls -A \"$0\" && exit $code";
        in_namespace(&sandbox, script, &directory, &["set", "ssh.port", "2222"])
            .fails(1, ["cannot write", "No space left on device"])
            .hint("free some space; the file is unchanged")
            .stdout("config.toml\n")
            .run();
    } else {
        // Without a separate file system: limits the length of files; a longer write fails with an error.
        let script = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
        let soong = env!("CARGO_BIN_EXE_soong");
        Run::new(
            &sandbox,
            &tools::tool("sh"),
            ["-c", script, "sh", soong, "configure", "set", "ssh.port", "2222"],
        )
        .fails(1, ["cannot write", "File too large"])
        .hint("the file is unchanged")
        .run();
    }
    assert_eq!(sandbox.config_text(), long);
}

/// Cut off in the middle of writing by a signal that cannot wait: the kernel's, at the size limit.
#[test]
fn a_write_that_is_cut_off_loses_nothing() {
    let long = format!("{WITH_CARE}# {}\n", "x".repeat(100_000));
    let sandbox = home(&long);
    let soong = env!("CARGO_BIN_EXE_soong");
    let script = "ulimit -c 0; ulimit -f 16; \"$@\"; test $? -gt 128";
    Run::new(
        &sandbox,
        &tools::tool("bash"),
        ["-c", script, "bash", soong, "configure", "set", "ssh.port", "2222"],
    )
    .stderr_has("")
    .run();
    assert_eq!(sandbox.config_text(), long);
    sandbox.conf(["set", "ssh.port", "2222"]).run();
    assert_eq!(sandbox.config_text(), long.replace("  22 #", "  2222 #"));
}

/// `soong configure ARGS` by way of `script`, with `directory` as `$0`, in a mount namespace.
fn in_namespace<'a>(sandbox: &'a Sandbox, script: &str, directory: &str, args: &[&str]) -> Run<'a> {
    let soong = env!("CARGO_BIN_EXE_soong");
    Run::new(sandbox, &tools::tool("unshare"), ["-m", "sh", "-c", script, directory, soong, "configure"])
        .args(args)
}
