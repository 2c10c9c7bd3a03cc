//! A command that runs while the test observes and signals it, and whose result is compared at the end.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::run::{Output, Run};
use super::{process, wait};

/// A running command; it is killed when dropped unfinished.
pub struct Spawned<'a> {
    run: Run<'a>,
    child: Child,
    stdout: Capture,
    stderr: Capture,
}

/// Output so far.
struct Capture {
    text: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl<'a> Spawned<'a> {
    pub fn new(run: Run<'a>) -> Self {
        let mut child = run
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let stdout = Capture::start(child.stdout.take().unwrap());
        let stderr = Capture::start(child.stderr.take().unwrap());
        Self { run, child, stdout, stderr }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Returns the output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn wait_for_stdout(&mut self, text: &str) {
        wait::until_true(&format!("{text:?} on stdout"), || {
            let ended = self.child.try_wait().unwrap();
            let printed = self.stdout();
            assert!(
                ended.is_none() || printed.contains(text),
                "{} ended with {ended:?}:\n{printed}{}",
                self.run,
                self.stderr.text()
            );
            printed.contains(text)
        });
    }

    /// Waits until it has printed `text` to stderr.
    #[track_caller]
    pub fn wait_for_stderr(&mut self, text: &str) {
        wait::until_within(self.run.limit(), &format!("{text:?} on stderr"), || {
            self.stderr.text().contains(text).then_some(())
        });
    }

    /// Sends `signal` to this process alone.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Sends SIGINT to its whole process group, as a terminal does on Ctrl-C.
    pub fn interrupt(&self) {
        killpg(Pid::from_raw(self.pid()), Signal::SIGINT).unwrap();
    }

    /// Waits for its end and returns the result without checking it.
    #[track_caller]
    pub fn unchecked(self) -> Output {
        self.end().1
    }

    /// Waits for its end and compares the result with the expectations.
    #[track_caller]
    pub fn finish(self) -> Output {
        let (run, output) = self.end();
        run.compare(&output);
        output
    }

    #[track_caller]
    fn end(mut self) -> (Run<'a>, Output) {
        let limit = self.run.limit();
        let status =
            wait::until_within(limit, &format!("{} to end", self.run), || self.child.try_wait().unwrap());
        wait::until_true(&format!("the output of {} to be closed", self.run), || {
            self.stdout.thread.is_finished() && self.stderr.thread.is_finished()
        });
        let output = std::process::Output {
            status,
            stdout: self.stdout.text().into_bytes(),
            stderr: self.stderr.text().into_bytes(),
        };
        (self.run, Output::from(&output))
    }
}

impl Capture {
    fn start(mut source: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&text);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = source.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { text, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}
