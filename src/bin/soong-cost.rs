//! `soong-cost`: what rented instances cost.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::cost::main()
}
