//! Extensions in Rust, compiled by the cargo that runs the tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use nix::fcntl::{Flock, FlockArg};

/// The sample extension of this name. `cargo test` builds it, unless it is asked for one file of
/// tests alone.
pub fn sample(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut build = cargo(package);
        build.args(["build", "--quiet", "--example", "soong-top", "--example", "soong-open", "--target-dir"]);
        run(build.arg(target()));
    });
    Path::new(env!("CARGO_BIN_EXE_soong")).with_file_name("examples").join(name)
}

/// A directory for packages that are written by a test, whose dependencies are among this package's. It
/// is the same in each run, so that what cargo keeps does not grow, and one run's at a time.
pub struct Workshop {
    directory: PathBuf,
    _turn: Flock<File>,
}

impl Workshop {
    /// Waits for its turn; the directory is empty.
    pub fn open() -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workshop");
        let lock = File::create(directory.with_extension("lock")).unwrap();
        let turn = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        Self { directory, _turn: turn }
    }

    /// Directory for packages.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// cargo, for the package in `name`, with the versions that this package locks. What is compiled
    /// already serves it, too; nothing is asked of a registry.
    pub fn cargo(&self, name: &str) -> Command {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = self.directory.join(name);
        fs::copy(package.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
        let mut cargo = cargo(&directory);
        cargo.args(["--offline", "--quiet"]);
        cargo.env("CARGO_BUILD_BUILD_DIR", target()).env("CARGO_TARGET_DIR", self.directory.join("target"));
        // As in this package's profile, so that its dependencies are the same.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        cargo
    }

    /// The program `name`, once it is built.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join("target/debug").join(name)
    }
}

/// Where cargo put the programs under test, and all that they are made of.
fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_soong")).ancestors().nth(2).unwrap()
}

/// cargo, for the package in `directory`.
pub fn cargo(directory: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(directory);
    // Cargo's variables about this test's package would look like a change, and cargo would compile half of
    // the dependencies again.
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
