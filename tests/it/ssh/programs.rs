//! Programs that run ssh: ssh, scp, sftp and rsync with the hosts that soong tells them, and those that are told
//! to run `soong ssh` in its place.

use std::fs;

use super::{CONNECTIONS, connected, path, ssh};
use crate::support::config::user;
use crate::support::run::Run;
use crate::support::tools::tool;

#[test]
fn they_reach_the_instance_by_its_name_and_over_its_tunnel() {
    let (instance, sandbox) = connected(true);
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("ssh soong-dev").stderr_has("").run();
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let [source, there, back] = ["source", "there", "back"].map(|name| sandbox.path("tmp").join(name));
    sandbox.write(&source, &bytes);
    let remote = format!("soong-dev:{}", there.display());
    let config = sandbox.home().join(".ssh/config");
    let shell = format!("{} -F {}", path(&tool("ssh")), path(&config));
    for logins in [1, 5] {
        ssh(&sandbox, "ssh", &["soong-dev", "echo hello; exit 37"]).stdout("hello\n").code(37).run();
        ssh(&sandbox, "scp", &["-q", path(&source), &remote]).run();
        ssh(&sandbox, "scp", &["-q", &remote, path(&back)]).run();
        assert_eq!(fs::read(&back).unwrap(), bytes);
        fs::remove_file(&there).unwrap();
        fs::remove_file(&back).unwrap();
        Run::new(&sandbox, &tool("rsync"), ["-a", "-e", &shell, path(&source), &remote]).run();
        assert_eq!(fs::read(&there).unwrap(), bytes);
        fs::remove_file(&there).unwrap();
        assert_eq!(instance.sshd.logins(), logins);
        // The second time over connections of their own.
        sandbox.tunnel(["stop"]).stdout_has("").run();
    }
}

/// `soong ssh` as programs are told to run it.
fn soong_ssh() -> String {
    format!("{} ssh", env!("CARGO_BIN_EXE_soong"))
}

#[test]
fn rsync_runs_soong_ssh() {
    for shared in CONNECTIONS {
        let (instance, sandbox) = connected(shared);
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let [source, there, back] = ["a source", "there", "back"].map(|name| sandbox.path("tmp").join(name));
        sandbox.write(&source, &bytes);
        // By name, by id and by host, with the account and without.
        for host in ["dev".to_owned(), "a1b2c3d4".to_owned(), format!("{}@127.0.0.1", user())] {
            let remote = format!("{host}:{}", there.display());
            let rsync = || Run::new(&sandbox, &tool("rsync"), ["-a", "-e", &soong_ssh()]);
            rsync().args([path(&source), &remote]).run();
            assert_eq!(fs::read(&there).unwrap(), bytes);
            rsync().args([&*remote, path(&back)]).run();
            assert_eq!(fs::read(&back).unwrap(), bytes);
            fs::remove_file(&there).unwrap();
            fs::remove_file(&back).unwrap();
        }
        assert_eq!(instance.sshd.logins(), if shared { 1 } else { 6 });
    }
}

#[test]
fn git_runs_soong_ssh() {
    let (instance, sandbox) = connected(true);
    let git = |args: &[&str]| {
        let run = Run::new(&sandbox, &tool("git"), args).env("GIT_SSH_COMMAND", soong_ssh());
        let run = run.env("GIT_AUTHOR_NAME", "a").env("GIT_AUTHOR_EMAIL", "a@example.com");
        run.env("GIT_COMMITTER_NAME", "a").env("GIT_COMMITTER_EMAIL", "a@example.com").stderr_has("")
    };
    let [there, clone, again] = ["there's.git", "clone", "again"].map(|name| sandbox.path("tmp").join(name));
    git(&["init", "-q", "--bare", "-b", "main", path(&there)]).run();
    // The repository is another user's where the server is started by one; it is ours.
    sandbox.write(&sandbox.home().join(".gitconfig"), "[safe]\n\tdirectory = *\n");
    git(&["clone", "-q", &format!("dev:{}", there.display()), path(&clone)]).run();
    git(&["-C", path(&clone), "commit", "-q", "--allow-empty", "-m", "first"]).run();
    git(&["-C", path(&clone), "push", "-q", "origin", "HEAD:main"]).run();
    let port = instance.sshd.port;
    let url = format!("ssh://{}@127.0.0.1:{port}{}", user(), there.display());
    git(&["clone", "-q", &url, path(&again)]).run();
    git(&["-C", path(&again), "log", "--format=%s"]).stdout("first\n").run();
    // git asks for its protocol in a variable, which the tunnel's connection does not carry.
    assert!(instance.sshd.logins() > 1);
}

#[test]
fn an_instance_stands_where_ssh_has_its_host() {
    let (instance, mut sandbox) = connected(true);
    let me = user();
    for words in [&["dev"][..], &["-T", &format!("{me}@dev")], &["-l", &me, "dev", "-T"], &["127.0.0.1"]] {
        // As with ssh, the words are a line for the shell of the instance.
        sandbox.soong(["ssh"]).args(words).args(["printf", "%s-", "a b", "c"]).stdout("a-b-c-").run();
        sandbox.soong(["ssh"]).args(words).args(["--", "printf", "%s-", "a b", "c"]).stdout("a b-c-").run();
    }
    assert_eq!(instance.sshd.logins(), 1, "all went over the tunnel's connection");
    sandbox.soong(["ssh", "-TG", "dev"]).stdout_has("hostname 127.0.0.1\n").run();
    sandbox.soong(["ssh", "--instance-id", "dev", "dev", "true"]).run();
    sandbox
        .soong(["ssh", "--instance-id", "x", "dev"])
        .fails(2, ["two instances given: 'dev' and 'x'"])
        .run();
    sandbox
        .soong(["ssh", "other", "true"])
        .fails(2, ["'--' is missing before other"])
        .hint("available: dev")
        .run();
    sandbox.soong(["ssh", "no-such-user@dev", "true"]).code(255).stderr_has("Permission denied").run();
    // A host that two instances share names neither.
    sandbox.configure(|config| {
        config.another("staging", &instance);
    });
    sandbox.soong(["ssh", "127.0.0.1", "true"]).fails(2, ["'--' is missing"]).run();
    sandbox.soong(["ssh", "staging", "true"]).stderr_has("").run();
}
