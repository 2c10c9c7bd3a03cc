//! Programs that an ssh started and left behind when it was killed.
//!
//! ssh leads a session, and tells its programs the path of its tunnel's askpass socket. A process is one of them if it is in
//! that session, whose leader is gone, and has that path in its environment. Programs with a session of their own stay: a shared
//! ssh master and an agent serve other tunnels, too.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::Pid;

use crate::runtime::process::Process;
use crate::system::paths::ASKPASS_SOCKET;
use crate::system::proc;

/// Kills the programs of an ssh that led `session` and had this askpass socket, once that ssh has ended; the kernel kills it
/// with its supervisor. Does nothing if it stays alive for `patience`.
pub(super) fn terminate(session: i32, askpass: &Path, patience: Duration) {
    if !Process::find(Pid::from_raw(session)).has_ended(patience) {
        return;
    }
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for pid in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if is_member(pid, session) {
            // From here on, the PID cannot become that of another process unnoticed.
            let process = Process::find(Pid::from_raw(pid));
            if is_member(pid, session) && knows_socket(pid, askpass) {
                let _ = process.kill();
            }
        }
    }
}

fn is_member(pid: i32, session: i32) -> bool {
    pid != session && session_of(pid) == Some(session)
}

/// Returns the session of a process, from `proc_pid_stat(5)`.
fn session_of(pid: i32) -> Option<i32> {
    proc::stat_field(pid.unsigned_abs(), 6).map(u32::cast_signed)
}

/// Returns true if the environment with which a process was started names this askpass socket. Only its user can read it.
fn knows_socket(pid: i32, askpass: &Path) -> bool {
    let wanted = [ASKPASS_SOCKET.as_bytes(), b"=", askpass.as_os_str().as_bytes()].concat();
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Returns the leader of a new session, which waits for input, and a program that it has started.
    fn session(askpass: &str) -> (Child, i32) {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 >/dev/null & echo $!; read line"]).env(ASKPASS_SOCKET, askpass);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // SAFETY: setsid is one system call.
        unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
        let mut leader = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(leader.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (leader, line.trim().parse().unwrap())
    }

    #[test]
    fn only_programs_of_a_dead_ssh_of_this_tunnel_end() {
        let ours = "/run/soong/tunnels/dev/askpass.sock";
        for (askpass, is_leader_dead, dies) in
            [(ours, true, true), (ours, false, false), ("/run/soong/tunnels/other/askpass.sock", true, false)]
        {
            let (mut leader, program) = session(askpass);
            let number = leader.id().cast_signed();
            if is_leader_dead {
                leader.kill().unwrap();
                leader.wait().unwrap();
            }
            let process = Process::find(Pid::from_raw(program));
            // Another session, whose leader is alive.
            let other = std::process::id().cast_signed();
            terminate(other, Path::new(ours), Duration::ZERO);
            assert!(!process.has_ended(Duration::ZERO));
            terminate(number, Path::new(ours), Duration::ZERO);
            assert_eq!(process.has_ended(Duration::from_secs(if dies { 60 } else { 0 })), dies, "{askpass}");
            let _ = (process.kill(), leader.kill(), leader.wait());
        }
    }
}
