//! `soong-launch`: rent an instance and open a tunnel to it.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::launch::main()
}
