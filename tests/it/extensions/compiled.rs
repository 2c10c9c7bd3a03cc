//! Extensions in Rust, compiled by the cargo that runs the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// The sample extension of this name. `cargo test` builds it, unless it is asked for one file of
/// tests alone.
pub fn sample(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        run(cargo(package).args(["build", "--quiet", "--example", "soong-top", "--example", "soong-open"]));
    });
    Path::new(env!("CARGO_BIN_EXE_soong")).with_file_name("examples").join(name)
}

/// cargo, for the package in `directory`.
pub fn cargo(directory: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(directory);
    // What cargo tells this test of its package would pass for a change of circumstances, for which
    // half of the dependencies would be compiled again.
    for (name, _) in std::env::vars_os() {
        let about = name.to_string_lossy();
        if about == "OUT_DIR" || about.starts_with("CARGO_PKG_") || about.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs `command` and shows what it said if it failed.
#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", said.concat());
}
