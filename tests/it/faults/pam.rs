//! Accounts that PAM refuses: while the machine boots or shuts down, and after they have expired.

use std::fs;

use super::{behind, told, wait_for};
use crate::support::config::path;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;
use crate::support::{tools, wait};

/// A user that every machine has. `pam_nologin` lets root in whatever happens.
const USER: &str = "nobody";

/// A server that asks the real PAM, and the files that it asks.
struct Guarded {
    instance: Instance,
    files: Sandbox,
}

impl Guarded {
    /// Starts the server; `None` unless this is root, who alone can make PAM read other files than the machine's own.
    fn start() -> Option<Self> {
        if !tools::is_root() {
            eprintln!("not tested: PAM needs root (see CONTRIBUTING)");
            return None;
        }
        let files = Sandbox::new();
        let [service, shadow, limits] = ["pam", "shadow", "limits"].map(|name| files.path(name));
        let rules = format!(
            "auth required pam_permit.so\n\
             account required pam_nologin.so file={}\n\
             account required pam_unix.so\n\
             session required pam_limits.so conf={}\n",
            path(&files.path("nologin")),
            path(&limits)
        );
        files.write(&service, rules);
        files.write(&limits, "");
        files.write(&shadow, fs::read("/etc/shadow").unwrap());
        let options = Options::default().line("UsePAM yes");
        let options = options.mount(service, "/etc/pam.d/sshd").mount(shadow, "/etc/shadow");
        let instance = Instance::with(options);
        instance.sshd.open_keys();
        Some(Self { instance, files })
    }

    /// Lets only root in, as a machine does that boots or goes down.
    fn close(&self) {
        self.files.write(&self.files.path("nologin"), "System is booting up. Come back later.\n");
    }

    fn open(&self) {
        fs::remove_file(self.files.path("nologin")).unwrap();
    }

    /// Sets the account's expiry to the second day of 1970.
    fn expire(&self) {
        self.set_shadow("*:19000:0:99999:7::1:");
    }

    /// Makes the user choose another password at the next login.
    fn expire_password(&self) {
        self.set_shadow("*:0:0:99999:7:::");
    }

    /// Sets the account's entry in `shadow(5)`, without the name.
    fn set_shadow(&self, entry: &str) {
        let file = self.files.path("shadow");
        let text = fs::read_to_string(&file).unwrap();
        let others = text.lines().filter(|line| !line.starts_with(&format!("{USER}:")));
        let lines: String = others.map(|line| format!("{line}\n")).collect();
        self.files.write(&file, format!("{lines}{USER}:{entry}\n"));
    }

    /// Allows no sessions: `limits.conf(5)`.
    fn allow_no_session(&self) {
        self.files.write(&self.files.path("limits"), format!("{USER} hard maxlogins 0\n"));
    }

    fn sandbox(&self, network: &Network) -> Sandbox {
        let mut sandbox = behind(network, &self.instance);
        sandbox.configure(|config| {
            config.set(["instances", "dev", "user"], USER);
        });
        sandbox
    }
}

#[test]
fn a_start_tells_why_the_account_is_closed() {
    let Some(server) = Guarded::start() else { return };
    let network = Network::to(server.instance.sshd.port);
    let sandbox = server.sandbox(&network);
    server.close();
    sandbox.tunnel(["start"]).fails(1, ["the server said: System is booting up. Come back later"]).run();
    sandbox.assert_idle();
    server.open();
    server.expire();
    sandbox.tunnel(["start"]).fails(1, ["the server said: Your account has expired"]).run();
    sandbox.assert_idle();
}

/// sshd accepts such logins and forwards nothing.
#[test]
fn an_account_without_a_session_ends_the_start() {
    for restrict in [Guarded::expire_password, Guarded::allow_no_session] {
        let Some(server) = Guarded::start() else { return };
        let network = Network::to(server.instance.sshd.port);
        let sandbox = server.sandbox(&network);
        restrict(&server);
        let refused = sandbox.tunnel(["start"]).fails(1, ["the server forbids forwarding to"]);
        refused.hint("an expired password or a login limit").run();
        sandbox.assert_idle();
    }
}

#[test]
fn a_tunnel_that_was_up_waits_until_the_account_is_open_again() {
    let Some(server) = Guarded::start() else { return };
    let network = Network::to(server.instance.sshd.port);
    let sandbox = server.sandbox(&network);
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    server.close();
    network.reset();
    let closed = wait::until("a second refusal", || {
        let told = told(&sandbox);
        (told["attempt"].as_i64() >= Some(3)).then_some(told)
    });
    assert_eq!(closed["state"], "reconnecting", "{closed}");
    let error = closed["last_error"].as_str().unwrap();
    assert!(error.contains("the server said: System is booting up. Come back later"), "{closed}");
    server.open();
    wait_for(&sandbox, "up");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}
