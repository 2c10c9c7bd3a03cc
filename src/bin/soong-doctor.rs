//! `soong-doctor`: find out why a tunnel does not work.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::doctor::main()
}
