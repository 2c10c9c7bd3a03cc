//! An ssh that outlived its supervisor. On Linux the kernel ends it. Elsewhere it is found and ended through
//! its control socket, so no PID is needed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::runtime::directory::Directory;

/// Time for such an ssh to end.
const PATIENCE: Duration = Duration::from_secs(2);

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
