//! Programs that others may have put where they are.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::{path_of, script, soong};
use crate::support::sandbox::Sandbox;

#[test]
fn a_program_that_others_may_have_put_there_is_told_of_once() {
    let sandbox = Sandbox::new();
    for name in ["hello", "other"] {
        script(&sandbox, &format!("open/soong-{name}"), &format!("echo {name}"));
    }
    fs::set_permissions(sandbox.path("open"), Permissions::from_mode(0o1777)).unwrap();
    let path = path_of(&sandbox, &["open"]);
    let run = |name: &str| soong(&sandbox, [name]).env("PATH", &path).stdout(format!("{name}\n"));
    run("hello").stderr_has("open/soong-hello").stderr_has("is writable by everyone").run();
    run("hello").run();
    run("other").stderr_has("soong-other").run();
    // Where soong cannot write the note, it repeats the message each time.
    let run = || run("hello").env("XDG_STATE_HOME", "/dev/null").stderr_has("everyone");
    run().run();
    run().run();
}

#[test]
fn what_only_its_user_can_write_is_no_news() {
    let sandbox = Sandbox::new();
    script(&sandbox, "safe/soong-hello", "echo hello");
    let path = path_of(&sandbox, &["safe"]);
    soong(&sandbox, ["hello"]).env("PATH", &path).stdout("hello\n").run();
    assert!(!sandbox.path("home/.local/state").exists(), "no note is written");
}
