//! `soong-prompt`: tunnels in a prompt or a status line.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::prompt::main(std::env::args_os().skip(1))
}
