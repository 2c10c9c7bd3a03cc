//! The status daemon, which belongs to another package, built by the cargo that runs the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// Builds the daemon once, beside the programs under test, and returns its path.
pub fn program() -> PathBuf {
    static BUILT: Once = Once::new();
    let soong = Path::new(env!("CARGO_BIN_EXE_soong"));
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "soong-statusd", "--target-dir"]);
        build.arg(soong.ancestors().nth(2).unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        // Variables about this package would make cargo compile dependencies again.
        for (name, _) in std::env::vars_os() {
            let about = name.to_string_lossy();
            if about == "OUT_DIR" || about.starts_with("CARGO_PKG_") || about.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&name);
            }
        }
        let output = build.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
    soong.with_file_name("soong-statusd")
}
