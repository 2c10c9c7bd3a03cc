//! `soong-supervisor`: keeps one tunnel up.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::tunnel::program::main()
}
