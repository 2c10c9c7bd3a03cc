//! `soong-configure`: the wizard, and one setting at a time.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::configure::main()
}
