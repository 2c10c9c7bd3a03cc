//! `soong-daemon`: install the status daemon on an instance.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::commands::daemon::main()
}
