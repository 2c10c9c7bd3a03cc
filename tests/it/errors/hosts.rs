//! Hosts that refuse, do not exist, never speak or are not what they were; and an `ssh` that is not installed.

use std::net::TcpListener;

use crate::support::config::{path, user};
use crate::support::instance::Instance;
use crate::support::ports;
use crate::support::sandbox::Sandbox;
use crate::support::service::Service;
use crate::support::sshd::{Options, generate_key};
use crate::support::tools::tool;

/// A sandbox with a valid key, whose only instance is `host`, `port`.
fn sandbox(host: &str, port: u16) -> Sandbox {
    let mut sandbox = Sandbox::new();
    let key = sandbox.path("key");
    generate_key(&key);
    sandbox.configure(|config| {
        config.set(["ssh", "key"], path(&key)).set(["ssh", "connect-timeout"], 10);
        config.instance("dev", host, port);
    });
    sandbox
}

#[test]
fn a_host_that_refuses_connections() {
    let sandbox = sandbox("127.0.0.1", ports::free());
    let reason = ["Error starting tunnel: ", "127.0.0.1", "Connection refused"];
    sandbox.tunnel(["start"]).fails(1, reason).hint("soong status").run();
    sandbox.assert_idle();
}

/// No machine answers at a multicast address over TCP; Linux says so without sending anything.
#[test]
#[cfg(target_os = "linux")]
fn a_host_that_can_not_be_reached() {
    let sandbox = sandbox("224.0.0.1", 22);
    sandbox
        .tunnel(["start"])
        .fails(1, ["Error starting tunnel: ", "224.0.0.1", "Network is unreachable"])
        .hint("")
        .run();
    sandbox.assert_idle();
}

#[test]
fn a_host_that_does_not_exist() {
    let sandbox = sandbox("nowhere.invalid", 22);
    // However slow the name servers of this network are, they know no such name.
    let start = sandbox.tunnel(["start"]).env("RES_OPTIONS", "timeout:1 attempts:1");
    start.fails(1, ["Error starting tunnel: ", "nowhere.invalid"]).hint("config.toml").run();
    sandbox.assert_idle();
}

#[test]
fn a_host_that_accepts_and_never_speaks() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sandbox = sandbox("127.0.0.1", mute.local_addr().unwrap().port());
    sandbox.configure(|config| {
        config.set(["ssh", "connect-timeout"], 1);
    });
    sandbox
        .tunnel(["start"])
        .fails(1, ["SSH tunnel command timed out"])
        .hint(format!("{} accepts connections but sent no SSH greeting in 1 s\n", mute.local_addr().unwrap()))
        .hint("the port is reachable, but its SSH server does not respond")
        .hint("soong status")
        .hint("soong configure")
        .run();
    sandbox.assert_idle();
}

#[test]
fn a_host_that_speaks_something_else() {
    let service = Service::start("sglang");
    let mut sandbox = sandbox("127.0.0.1", service.port);
    sandbox.configure(|config| {
        config.set(["ssh", "connect-timeout"], 2);
    });
    sandbox.tunnel(["start"]).fails(1, [""]).hint("").run();
    sandbox.assert_idle();
}

#[test]
fn a_changed_host_key_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    let port = instance.sshd.port;
    drop(instance);
    let impostor = Instance::with(Options::default().port(port));
    std::fs::copy(impostor.sshd.key(), sandbox.path("home/key")).unwrap();
    let mut sandbox = sandbox;
    sandbox.configure(|config| {
        config.set(["ssh", "key"], "~/key");
    });
    sandbox.tunnel(["start"]).fails(1, ["Error starting tunnel: ", "host key"]).hint("ssh-keygen -R").run();
    assert_eq!(impostor.sshd.logins(), 0, "nothing was offered to a stranger");
    sandbox.assert_idle();
    sandbox.configure(|config| {
        config.set(["ssh", "host-key-check"], "off");
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
}

/// The key is pinned to the instance, not to its address: at an address that was another's it is a new one.
#[test]
fn another_instance_at_the_same_address_is_no_alarm() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    let port = instance.sshd.port;
    drop(instance);
    let next = Instance::with(Options::default().port(port));
    sandbox.configure(|config| {
        config.set(["ssh", "key"], path(&next.sshd.key())).set(["instances", "dev", "id"], "e5f6");
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
}

#[test]
fn an_unknown_host_key_is_refused_when_strict() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let known = sandbox.path("home/known_hosts");
    sandbox.configure(|config| {
        let options =
            format!("-F none -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null", known.display());
        config.set(["ssh", "host-key-check"], "strict").set(["ssh", "options"], options);
    });
    sandbox.tunnel(["start"]).fails(1, ["Error starting tunnel: ", "ost key"]).hint("host-key-check").run();
    sandbox.assert_idle();
}

#[test]
fn without_ssh_it_is_said_how_to_get_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let empty = sandbox.path("bin");
    let start = sandbox.tunnel(["start"]).env("PATH", &empty);
    start.fails(127, ["soong-tunnel: ssh is not installed"]).hint("openssh").run();
    sandbox.assert_idle();
}

/// Each of these would make ssh run `touch pwned`, or read its own options, if it reached it or a shell unchanged.
const HOSTILE: [&str; 12] = [
    "-oProxyCommand=touch pwned",
    "-oProxyCommand=touch${IFS}pwned",
    "--",
    "-F",
    "$(touch pwned)",
    "`touch pwned`",
    "x;touch pwned",
    "x|touch pwned",
    "x\ntouch pwned",
    "a b",
    "'",
    "",
];

/// A `ProxyCommand` is where ssh itself hands host and user to a shell.
fn with_proxy(sandbox: &mut Sandbox) {
    let netcat = format!("{} -c 'exit 1' %h %r %n", tool("sh").display());
    sandbox.configure(|config| {
        config.set(
            ["ssh", "options"],
            shell_words::join(["-F", "none", "-o", &format!("ProxyCommand={netcat}")]),
        );
    });
}

#[test]
fn a_host_never_becomes_an_option_or_a_command() {
    for host in HOSTILE {
        let mut sandbox = sandbox(host, 1);
        for _ in 0..2 {
            sandbox.tunnel(["start"]).fails(1, ["host"]).run();
            sandbox.tunnel(["start", "--dry-run"]).fails(1, ["host"]).run();
            super::instances::assert_nothing_was_executed(&sandbox);
            with_proxy(&mut sandbox);
        }
        sandbox.assert_idle();
    }
}

#[test]
fn a_user_never_becomes_an_option_or_a_command() {
    for name in HOSTILE {
        let mut sandbox = sandbox("127.0.0.1", 1);
        for table in [["ssh", "user"].as_slice(), &["instances", "dev", "user"]] {
            sandbox.configure(|config| match table {
                [table, key] => {
                    config.set([table, key], name);
                }
                _ => {
                    config.set(["ssh", "user"], user()).set(["instances", "dev", "user"], name);
                }
            });
            sandbox.tunnel(["start"]).fails(1, ["user"]).run();
            sandbox.tunnel(["start", "--dry-run"]).fails(1, ["user"]).run();
            super::instances::assert_nothing_was_executed(&sandbox);
            with_proxy(&mut sandbox);
        }
        sandbox.assert_idle();
    }
}

/// Words of `ssh.options` that ssh would take for the host would shift everything behind them.
#[test]
fn options_are_options() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    for options in ["evil-host", "-C evil-host", "--", "ProxyCommand=x", "-o", "-f", "'unclosed"] {
        sandbox.configure(|config| {
            config.set(["ssh", "options"], options);
        });
        sandbox.tunnel(["start"]).fails(1, ["ssh.options"]).run();
    }
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
}
