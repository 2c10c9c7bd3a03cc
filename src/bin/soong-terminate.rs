//! `soong-terminate`: give rented instances back.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::terminate::main()
}
