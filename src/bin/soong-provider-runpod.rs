//! `soong-provider-runpod`: lists, rents and ends pods at RunPod.

use std::process::ExitCode;

fn main() -> ExitCode {
    soong::instances::runpod::main()
}
