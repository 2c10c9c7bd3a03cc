//! `soong-keep`: keep an unused instance up for a while.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::keep::main()
}
