//! An ssh that outlived its supervisor. On Linux the kernel ends it; elsewhere it is found by its
//! control socket, and ended through it: no PID has to be believed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::runtime::directory::Directory;

/// How long such an ssh may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ends the ssh that listens on the control socket in `directory`, if there is one. Only for the
/// one who holds the tunnel's lock.
pub fn terminate(directory: &Directory, ssh: &Path) {
    if !directory.has_orphan() {
        return;
    }
    // The host is not contacted: the control socket is all that `-O exit` needs.
    // In the path of its socket ssh replaces percent signs.
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
