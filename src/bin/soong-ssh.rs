//! `soong-ssh`: a shell or a command on an instance.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::ssh::main()
}
