//! `soong-statusd`: the status daemon of an instance.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    soong_statusd::program::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("soong-statusd: runs on Linux only");
    std::process::ExitCode::FAILURE
}
