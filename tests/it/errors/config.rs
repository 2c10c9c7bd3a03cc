//! A `config.toml` that cannot be read: the message names the file, the line, and what was expected there.

use crate::support::sandbox::Sandbox;

/// A configuration and what its message must hold: in the first line, and in the hints.
type Case = (&'static str, &'static [&'static str], &'static str);

const CASES: &[Case] = &[
    ("ssh", &["line 1", "TOML"], ""),
    ("[ssh\nport = 1\n", &["line 1", "TOML"], ""),
    ("[ssh]\nport = 1\nport = 2\n", &["line 3", "TOML"], ""),
    ("[ssh]\n\nport = \"abc\"\n", &["line 3", "ssh.port", "port", "\"abc\""], ""),
    ("[ssh]\nport = 0\n", &["line 2", "ssh.port", "0"], ""),
    ("[ssh]\nport = 70000\n", &["line 2", "ssh.port", "70000"], ""),
    ("[ssh]\nport = -1\n", &["line 2", "ssh.port", "-1"], ""),
    ("[ssh]\nkey = 5\n", &["line 2", "ssh.key", "5"], ""),
    ("[ssh]\nkeepalive = 1.5\n", &["line 2", "ssh.keepalive", "seconds", "1.5"], ""),
    ("[ssh]\nconnect-timeout = 0\n", &["line 2", "ssh.connect-timeout", "0"], ""),
    ("[ssh]\nhost-key-check = \"maybe\"\n", &["line 2", "ssh.host-key-check", "pin", "maybe"], ""),
    ("[ssh]\nhost-key-check = true\n", &["line 2", "ssh.host-key-check", "true"], ""),
    ("[ssh]\nkeepalives = 5\n", &["line 2", "ssh.keepalives"], "keepalive"),
    ("[ssh]\nconnect_timeout = 5\n", &["line 2", "ssh.connect_timeout"], "connect-timeout"),
    ("[ssl]\nkey = \"x\"\n", &["line 1", "ssl"], "ssh"),
    ("[service]\nx = 1\n", &["line 1", "service"], "services"),
    ("ssh = 5\n", &["line 1", "ssh", "table", "5"], ""),
    ("services = [1]\n", &["line 1", "services", "table", "array"], ""),
    ("[services]\nn8n = true\n", &["line 2", "services.n8n", "port", "true"], ""),
    ("[services]\nn8n = 0\n", &["line 2", "services.n8n", "port", "0"], ""),
    ("[services]\nn8n = { local = 5 }\n", &["line 2", "services.n8n", "remote"], ""),
    ("[services]\nn8n = { remote = 5, locale = 6 }\n", &["line 2", "services.n8n"], ""),
    ("[services]\n\"a b\" = 5\n", &["line 2", "a b"], ""),
    ("[instances.dev]\nuser = \"u\"\n", &["line 1", "instances.dev", "host"], "host"),
    ("[instances.dev]\nhost = \"h\"\nhots = 1\n", &["line 3", "instances.dev.hots"], "host"),
    ("[instances.dev]\nhost = 5\n", &["line 2", "instances.dev.host", "5"], ""),
    (
        "[instances.dev]\nhost = \"root@192.0.2.7:40001\"\n",
        &["line 2", "instances.dev.host", "192.0.2.7:40001"],
        "host = \"192.0.2.7\", user = \"root\", port = 40001",
    ),
    ("[instances.dev]\nhost = \"192.0.2.7:22:22\"\n", &["line 2", "instances.dev.host"], ""),
    ("[instances]\ndev = \"h\"\n", &["line 2", "instances.dev", "table", "\"h\""], ""),
];

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    for (text, first, hint) in CASES {
        sandbox.write(&sandbox.config_file(), text);
        let output = sandbox
            .tunnel(["start"])
            .fails(1, ["soong-tunnel: cannot read [ROOT]/home/.config/soong/config.toml: "])
            .hint(*hint)
            .run();
        let line = output.stderr.lines().next().unwrap();
        for part in *first {
            assert!(line.contains(part), "{text:?}: {part:?} is missing in {line:?}");
        }
    }
    sandbox.assert_idle();
}

#[test]
fn a_file_that_is_not_utf8() {
    let sandbox = Sandbox::new();
    sandbox.write(&sandbox.config_file(), b"[ssh]\nuser = \"\xff\"\n");
    sandbox.tunnel(["start"]).fails(1, ["[ROOT]/home/.config/soong/config.toml", "line 2", "UTF-8"]).run();
    sandbox.assert_idle();
}

#[test]
fn a_file_that_is_no_file() {
    let sandbox = Sandbox::new();
    let file = sandbox.config_file();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    sandbox.tunnel(["start"]).fails(1, ["[ROOT]/home/.config/soong/config.toml", "directory"]).run();
    std::fs::remove_dir(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    sandbox.tunnel(["start"]).fails(1, ["[ROOT]/home/.config/soong/config.toml", "not a regular file"]).run();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    sandbox.tunnel(["start"]).fails(1, ["[ROOT]/home/.config/soong/config.toml"]).run();
    std::fs::remove_file(&file).unwrap();
    sandbox.assert_idle();
}

#[test]
fn another_file_can_be_named() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("home/other.toml");
    sandbox.write(&file, "[ssh]\nuser = 5\n");
    let start = || sandbox.tunnel(["start"]);
    start().env("SOONG_CONFIG", &file).fails(1, ["[ROOT]/home/other.toml", "line 2"]).run();
    sandbox.write(&sandbox.path("home/xdg/soong/config.toml"), "[ssh]\n\nuser = 5\n");
    start()
        .env("XDG_CONFIG_HOME", sandbox.path("home/xdg"))
        .fails(1, ["[ROOT]/home/xdg/soong/config.toml", "line 3"])
        .run();
    // The XDG base directory specification: programs must ignore relative paths.
    start().env("XDG_CONFIG_HOME", "xdg").current_dir(&sandbox.home()).fails(1, ["no instances"]).run();
    sandbox.assert_idle();
}
