//! `soong-code`: open an editor on an instance.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::code::main()
}
