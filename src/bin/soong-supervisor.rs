//! `soong-supervisor`: keeps one tunnel up.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::supervisor::program::main()
}
