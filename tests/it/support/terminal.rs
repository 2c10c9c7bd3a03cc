//! A terminal with a user at it, for commands that read typed input or react to a change of the window.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};

use super::run::Run;
use super::wait;

/// Text that no command writes.
const MARK: &str = "\0end of the screen\0";

/// A terminal and the command that runs in it; the command is killed when this is dropped.
pub struct Terminal {
    /// The user's side.
    master: File,
    /// Kept open, so that output is not lost when the command ends.
    slave: OwnedFd,
    child: Child,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Runs the command in a terminal of this many rows and columns.
    pub fn run(run: &Run, rows: u16, columns: u16) -> Self {
        let OpenptyResult { master, slave } = openpty(&size(rows, columns), None).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let mut command = run.command();
        command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        #[allow(clippy::useless_conversion, reason = "the type of the request differs between systems")]
        let take_terminal = || {
            nix::unistd::setsid()?;
            // SAFETY: an ioctl with an integer, on descriptor 0, which is the terminal.
            if unsafe { libc::ioctl(0, libc::TIOCSCTTY.into(), 0) } == -1 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        };
        // SAFETY: the closure runs between fork and exec and makes two system calls.
        unsafe { command.pre_exec(take_terminal) };
        let child = command.spawn().unwrap();
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (sink, mut source) = (Arc::clone(&screen), File::from(master.try_clone().unwrap()));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = source.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { master: master.into(), slave, child, screen }
    }

    /// Returns all output on the terminal so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until `text` has been written.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let end = std::time::Instant::now() + wait::DEADLINE;
        while !self.screen().contains(text) {
            assert!(std::time::Instant::now() < end, "no {text:?} on the terminal:\n{}", self.screen());
            thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Types `text`; `\x03` is Ctrl-C.
    pub fn type_text(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Changes the size of the window.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = size(rows, columns);
        // SAFETY: an ioctl that reads a winsize, on a descriptor that is open.
        let done = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// Returns the settings of the terminal.
    pub fn modes(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    /// Waits for the end of the command and returns its exit code, or 128 plus the number of the signal that
    /// killed it, as in a shell. Everything that it wrote is on the screen then.
    #[track_caller]
    pub fn finish(&mut self) -> i32 {
        let mut ended = || self.child.try_wait().unwrap();
        let status = wait::until("the command on the terminal to end", &mut ended);
        self.catch_up();
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }

    /// Waits until the screen has everything that was written before: the thread that reads may lag behind.
    #[track_caller]
    fn catch_up(&self) {
        nix::unistd::write(&self.slave, MARK.as_bytes()).unwrap();
        self.wait_for(MARK);
        let mut screen = self.screen.lock().unwrap();
        let at = screen.windows(MARK.len()).position(|bytes| bytes == MARK.as_bytes()).unwrap();
        screen.drain(at..at + MARK.len());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
