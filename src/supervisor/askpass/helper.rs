//! ssh's askpass helper: this program, started by ssh for a question. It passes the question to the tunnel's
//! supervisor, waits, and prints the answer.
//!
//! ssh runs a program without arguments of ours (`SSH_ASKPASS`), so a variable names the supervisor's socket.
//! The answer goes from one pipe to the other and is stored nowhere.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::prompt::Question;
use crate::error::EXIT_FAILED;
use crate::system::paths;
use crate::system::peer;

/// Longest message between helper and supervisor, in bytes: six times the longest question or answer, as JSON
/// may need six bytes for a character.
pub const MESSAGE_MAX: u64 = 1 << 15;

/// Askpass settings for ssh.
#[derive(Debug, Clone)]
pub struct Askpass {
    program: PathBuf,
    socket: PathBuf,
}

/// Reply to a question; `None` without an answer.
#[derive(Serialize, Deserialize)]
pub struct Reply {
    /// The typed text.
    pub text: Option<String>,
}

impl Askpass {
    /// Makes ssh run this program, which asks at `socket`.
    pub fn new(socket: PathBuf) -> std::io::Result<Self> {
        Ok(Self { program: paths::own_program()?, socket })
    }

    /// Returns ssh's environment variables.
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        [
            ("SSH_ASKPASS", &self.program),
            ("SSH_ASKPASS_REQUIRE", Path::new("force")),
            (paths::ASKPASS_SOCKET, &self.socket),
        ]
    }
}

/// Asks if ssh started this program for a question; returns the exit code.
pub fn main() -> Option<ExitCode> {
    let socket = paths::askpass_socket()?;
    let mut words = std::env::args_os().skip(1);
    let (Some(text), None) = (words.next(), words.next()) else { return None };
    let question = Question::new(&text.to_string_lossy(), paths::askpass_hint().as_deref());
    let answered = ask(&socket, &question);
    Some(ExitCode::from(if answered.is_some() { 0 } else { EXIT_FAILED }))
}

/// Prints the answer to `question`; `None` without one.
fn ask(socket: &Path, question: &Question) -> Option<()> {
    leave_no_core();
    let mut stream = UnixStream::connect(socket).ok().filter(peer::is_own)?;
    let mut line = serde_json::to_vec(question).ok()?;
    line.push(b'\n');
    stream.write_all(&line).ok()?;
    // With full capacity, so that growing leaves no copy behind.
    let mut answer = Zeroizing::new(Vec::with_capacity(usize::try_from(MESSAGE_MAX).ok()?));
    stream.take(MESSAGE_MAX).read_to_end(&mut answer).ok()?;
    let reply: Reply = serde_json::from_slice(&answer).ok()?;
    let mut text = Zeroizing::new(reply.text?.into_bytes());
    text.push(b'\n');
    // Not through the standard library's buffer, which is not wiped.
    nix::unistd::write(std::io::stdout(), &text).ok().filter(|written| *written == text.len()).map(drop)
}

/// Disables core dumps of this process, which knows a secret.
pub fn leave_no_core() {
    use nix::sys::resource::{Resource, setrlimit};
    // Lowering a limit always succeeds.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}
