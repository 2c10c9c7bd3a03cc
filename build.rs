//! Has the linker leave out of the shipped programs what nothing in them reads: the tables by which
//! stacks are unwound (`.eh_frame`), a tenth of each program. Their panics abort; see `src/unwind.rs`.
//!
//! Debug builds, tests and whoever brings a linker of their own keep the tables. What `cargo test --release` runs goes without, and aborts, too.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to a build script in its environment")]

use std::env;

/// Takes the tables from what the linker's own script would place.
const SCRIPT: &str = "src/bin/no-unwind-tables.ld";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SCRIPT}");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    // The profile that ships is the only one to optimise for size alone. Cargo says nothing of panics here.
    let shipped = is("PROFILE", "release") && is("DEBUG", "false") && is("OPT_LEVEL", "z");
    let linux = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    // A linker that was chosen by hand may not take such scripts; mold does not.
    let own_linker = env::var_os("RUSTC_LINKER").is_some()
        || env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if shipped
        && linux
        && !own_linker
        && let Ok(directory) = env::var("CARGO_MANIFEST_DIR")
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{directory}/{SCRIPT}");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
}
