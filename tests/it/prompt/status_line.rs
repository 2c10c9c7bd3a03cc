//! Tunnels in the status line of tmux, by the line that the documentation gives.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::screen::Screen;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{system_path, tool};

/// The block for tmux in `docs/prompt.md`.
fn documented() -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/prompt.md")).unwrap();
    page.split("```tmux\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn a_tunnel_stands_in_it_as_up_for_as_long_as_it_lives() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let config = documented();
    assert!(config.contains("#(soong prompt --format tmux)"));
    // Later lines take precedence: refresh each second, and show the right side only.
    sandbox.write(
        &sandbox.path("tmux.conf"),
        config + "set -g status-interval 1\nset -g status-right-length 60\nset -g status-left ''\n",
    );
    let programs = Path::new(env!("CARGO_BIN_EXE_soong")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), system_path().to_str().unwrap());
    // tmux refuses to run in itself unless it does not know.
    let command = format!(
        "unset TMUX; PATH={} exec {} -u -S {} -f {} new-session cat",
        shell_words::quote(&path),
        tool("tmux").display(),
        sandbox.path("inner").display(),
        sandbox.path("tmux.conf").display(),
    );
    let screen = Screen::open(&sandbox, 80, &command);
    let pid = sandbox.start(&instance);
    // As it is written where the terminal is not known to have more than ASCII.
    screen.wait_until("the tunnel is up", |text| text.contains("= dev "));
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    screen.wait_until("the tunnel is down", |text| text.contains("! dev down "));
    screen.tmux(["send-keys", "C-d"]);
}
