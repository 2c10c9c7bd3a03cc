//! `soong-extend`: extend the lease of an instance.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::extend::main()
}
