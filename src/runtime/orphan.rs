//! Processes that outlived their supervisor. On Linux the kernel ends ssh, but not the programs that ssh started, such as the
//! ssh to a jump host, which hangs in a dead network: [`programs`]. Elsewhere ssh itself is found and ended through its
//! control socket, so no PID is needed.

#[cfg(target_os = "linux")]
mod programs;

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::runtime::directory::Directory;
#[cfg(target_os = "linux")]
use crate::runtime::ssh_directory::Side;

/// Time for such an ssh to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ends the programs that an ssh of `directory` had started and left behind. Only for the holder of the tunnel's lock.
pub fn terminate_programs(directory: &Directory) {
    #[cfg(target_os = "linux")]
    for side in Side::ALL {
        let record = directory.ssh_directory(side).session();
        let Ok(text) = std::fs::read_to_string(&record) else { continue };
        if let Ok(session) = text.trim().parse() {
            programs::terminate(session, &directory.askpass_socket(), PATIENCE);
        }
        let _ = std::fs::remove_file(record);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = directory;
}

/// Ends the ssh that listens on the control socket in `directory`, if there is one. Only for the holder of
/// the tunnel's lock.
pub fn terminate(directory: &Directory, ssh: &Path) {
    if !directory.has_orphan() {
        return;
    }
    // `-O exit` needs the control socket only and does not contact the host. ssh expands percent signs in the
    // path.
    let control = directory.ssh_control().to_string_lossy().replace('%', "%%");
    let _ = Command::new(ssh)
        .args(["-S", &control])
        .args(["-O", "exit", "soong"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let deadline = Instant::now() + PATIENCE;
    while directory.has_orphan() && Instant::now() < deadline {
        sleep(Duration::from_millis(10));
    }
}
