//! `soong-init`: what makes a shell know soong.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::init::main()
}
