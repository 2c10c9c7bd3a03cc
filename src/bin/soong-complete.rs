//! `soong-complete`: answers the completion of shells.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::complete::main()
}
