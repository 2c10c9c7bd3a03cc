//! `soong-provider-lambda`: lists the instances of an account at Lambda Cloud.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::instances::lambda::main()
}
