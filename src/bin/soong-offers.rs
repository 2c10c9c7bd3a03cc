//! `soong-offers`: list machines for rent.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::offers::main()
}
