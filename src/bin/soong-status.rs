//! `soong-status`: show instances, their tunnels and their leases.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::status::main()
}
