//! `soong-provider-lambda`: lists, rents and ends instances at Lambda Cloud.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::instances::lambda::main()
}
