//! `soong-service`: start tunnels at login.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::service::main()
}
