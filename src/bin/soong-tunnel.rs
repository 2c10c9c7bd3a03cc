//! `soong-tunnel`: start, show and stop tunnels.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::tunnel::main()
}
