//! TAB, pressed in real shells: bash, zsh and fish at a terminal.

mod hostile;
mod lines;
pub mod shell;
mod values;

use crate::support::config::Config;
use crate::support::sandbox::Sandbox;

/// A home with two instances, one of them with a space in its name, and a service.
fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config: &mut Config| {
        config
            .set(["instances", "dev", "host"], "192.0.2.7")
            .set(["instances", "dev", "id"], "a1b2c3d4")
            .set(["instances", "my box", "host"], "192.0.2.8")
            .set(["services", "comfyui"], 8188);
    });
    sandbox.write(&sandbox.path("home/plain file.txt"), "");
    sandbox
}
