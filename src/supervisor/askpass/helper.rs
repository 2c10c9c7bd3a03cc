//! What ssh runs when it has a question: the very program that is the tunnel, told by a variable where the tunnel
//! is that wants to hear it. It passes the question on, waits, and prints the answer for ssh.
//!
//! ssh names one program and no arguments for it (`SSH_ASKPASS`), hence the variable. The
//! answer goes from one pipe into the other and is kept nowhere.

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

/// The longest message between this program and the tunnel, in bytes: six times as long as the
/// longest question or answer, because JSON may need as much to write a character.
pub const MESSAGE_MAX: u64 = 1 << 15;

/// How ssh is told whom to ask.
#[derive(Debug, Clone)]
pub struct Askpass {
    program: PathBuf,
    socket: PathBuf,
}

/// What the tunnel says to a question: `None` that nobody answers.
#[derive(Serialize, Deserialize)]
pub struct Reply {
    /// What was typed.
    pub text: Option<String>,
}

impl Askpass {
    /// Has this program ask at `socket`.
    pub fn new(socket: PathBuf) -> std::io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, socket })
    }

    /// The variables that ssh is to have.
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        [
            ("SSH_ASKPASS", &self.program),
            ("SSH_ASKPASS_REQUIRE", Path::new("force")),
            (paths::ASKPASS_SOCKET, &self.socket),
        ]
    }
}

/// Asks if it was ssh that started this program, for that; returns the exit code.
pub fn main() -> Option<ExitCode> {
    let socket = paths::askpass_socket()?;
    let mut words = std::env::args_os().skip(1);
    let (Some(text), None) = (words.next(), words.next()) else { return None };
    let question = Question::new(&text.to_string_lossy(), paths::askpass_hint().as_deref());
    let answered = ask(&socket, &question);
    Some(ExitCode::from(if answered.is_some() { 0 } else { EXIT_FAILED }))
}

/// Prints the answer to `question`; `None` when there is none.
fn ask(socket: &Path, question: &Question) -> Option<()> {
    leave_no_core();
    let mut stream = UnixStream::connect(socket).ok().filter(peer::is_own)?;
    let mut line = serde_json::to_vec(question).ok()?;
    line.push(b'\n');
    stream.write_all(&line).ok()?;
    // With room for all, so that no copy is left behind when it grows.
    let mut answer = Zeroizing::new(Vec::with_capacity(usize::try_from(MESSAGE_MAX).ok()?));
    stream.take(MESSAGE_MAX).read_to_end(&mut answer).ok()?;
    let reply: Reply = serde_json::from_slice(&answer).ok()?;
    let mut text = Zeroizing::new(reply.text?.into_bytes());
    text.push(b'\n');
    // Not by way of the standard library's buffer, which nobody wipes.
    nix::unistd::write(std::io::stdout(), &text).ok().filter(|written| *written == text.len()).map(drop)
}

/// Keeps this process, which knows a secret, from leaving its memory in a file when it crashes.
pub fn leave_no_core() {
    use nix::sys::resource::{Resource, setrlimit};
    // A limit can always be lowered.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}
