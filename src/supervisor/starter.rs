//! The starter of a tunnel: the `start` that waits, or the terminal of a foreground tunnel. It gets events
//! and answers ssh's questions.

mod sink;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use self::sink::{Answer, Sink, StartProcess};
use crate::supervisor::askpass::helper::{MESSAGE_MAX, Reply};
use crate::supervisor::askpass::prompt::Asked;
use crate::supervisor::askpass::terminal::{self, Outcome};
use crate::supervisor::protocol::event::Event;
use crate::supervisor::protocol::progress::Report;
use crate::supervisor::protocol::request::Request;

/// Number of ssh's messages to hold back during a question.
const EVENTS_HELD: usize = 100;

/// Handle of the starter. Copies share it.
#[derive(Debug, Clone)]
pub struct Starter {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    sink: Sink,
    /// During a question: ssh's messages, to send afterwards.
    held: Option<Vec<Event>>,
}

impl Starter {
    /// Returns the starter of a foreground tunnel.
    pub fn terminal(report: Report) -> Self {
        Self::new(Sink::Terminal(report))
    }

    /// Returns the starter for `request` at the other end of `stream`.
    pub fn process(stream: UnixStream, request: &Request) -> io::Result<Self> {
        Ok(Self::new(Sink::Process(StartProcess::new(stream, request)?)))
    }

    fn new(sink: Sink) -> Self {
        Self { shared: Arc::new(Mutex::new(Shared { sink, held: None })) }
    }

    /// Returns true for a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self.shared().sink, Sink::Terminal(_))
    }

    /// Returns true while the starter listens.
    pub fn is_there(&self) -> bool {
        match &self.shared().sink {
            Sink::Terminal(report) => report.can_ask(),
            Sink::Process(starter) => starter.is_waiting(),
            Sink::None => false,
        }
    }

    /// Returns true if the starter can ask the user questions.
    pub fn can_answer(&self) -> bool {
        let is_mute = matches!(&self.shared().sink, Sink::Process(starter) if !starter.can_answer());
        !is_mute && self.is_there()
    }

    /// Sends an event. A `start` gets none after the one that ends its wait. A slow reader does not delay the
    /// tunnel: it misses ssh's messages and gets all other events late.
    pub fn send(&self, event: &Event) {
        let mut shared = self.shared();
        match (&mut shared.held, event) {
            (Some(held), Event::Said { .. }) => {
                if held.len() < EVENTS_HELD {
                    held.push(event.clone());
                }
            }
            _ => shared.sink.send(event),
        }
    }

    /// Asks a question; `None` without an answer. Dropping this withdraws the question.
    pub async fn ask(&self, asked: Asked) -> Answer {
        let held = Held::new(self);
        let (report, answer) = {
            let mut shared = held.0.shared();
            match &mut shared.sink {
                Sink::Terminal(report) => (Some(report.clone()), None),
                Sink::Process(starter) => {
                    let receiver = starter.expect_answer();
                    shared.sink.send(&Event::Question { asked: asked.clone() });
                    (None, Some(receiver))
                }
                Sink::None => (None, None),
            }
        };
        match (report, answer) {
            (Some(report), _) if report.can_ask() => ask_here(asked).await,
            (_, Some(answer)) => answer.await.ok().flatten(),
            _ => None,
        }
    }

    /// Handles the starter's messages: passes on its answers, sends it delayed events, and stops the tunnel
    /// if it goes away before its wait is over.
    pub fn listen(&self, stopper: watch::Sender<bool>) {
        let shared = self.shared();
        let Sink::Process(starter) = &shared.sink else { return };
        let (Ok(stream), Ok(writer), full) = (starter.socket(), starter.socket(), starter.full()) else {
            return;
        };
        let this = self.clone();
        tokio::spawn(async move {
            while let Some(reply) = receive(&stream).await {
                this.pass_on(reply);
            }
            if this.is_waited_for() {
                stopper.send_replace(true);
            }
        });
        let this = self.clone();
        tokio::spawn(async move {
            while this.is_starter() {
                full.notified().await;
                while writer.writable().await.is_ok() && !this.catch_up(&writer) {}
            }
        });
    }

    /// Returns true if there is a `start`, even one that only has unsent events.
    fn is_starter(&self) -> bool {
        matches!(self.shared().sink, Sink::Process(_))
    }

    /// Returns true if a `start` waits for the tunnel.
    fn is_waited_for(&self) -> bool {
        matches!(&self.shared().sink, Sink::Process(starter) if starter.is_waiting())
    }

    fn pass_on(&self, reply: Reply) {
        if let Sink::Process(starter) = &mut self.shared().sink {
            starter.receive_answer(reply);
        }
    }

    /// Sends the starter delayed events over `stream`; returns true when done.
    fn catch_up(&self, stream: &tokio::net::UnixStream) -> bool {
        self.shared().sink.flush(|bytes| stream.try_write(bytes))
    }

    /// Sends the starter the rest, at the end of the tunnel.
    pub fn finish(&self) {
        if let Sink::Process(starter) = &mut self.shared().sink {
            starter.finish();
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds back ssh's messages, which would run into a question, until dropped.
struct Held<'a>(&'a Starter);

impl<'a> Held<'a> {
    fn new(starter: &'a Starter) -> Self {
        starter.shared().held = Some(Vec::new());
        Self(starter)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut shared = self.0.shared();
        for event in shared.held.take().unwrap_or_default() {
            shared.sink.send(&event);
        }
    }
}

/// Asks at the terminal of this process.
async fn ask_here(asked: Asked) -> Answer {
    // Closing it withdraws the question.
    let (_wanted, end) = UnixStream::pair().ok()?;
    let outcome = spawn_blocking(move || terminal::ask(&asked, end.as_fd())).await.ok()?;
    match outcome {
        Outcome::Answered(answer) => Some(answer),
        Outcome::Unanswered | Outcome::Withdrawn => None,
        Outcome::Interrupted(watch) => {
            // The signal, when it takes effect, stops the tunnel and this task.
            drop(watch);
            std::future::pending().await
        }
    }
}

/// Returns the next message of the starter; `None` at its end. No copy of it stays in memory.
async fn receive(stream: &tokio::net::UnixStream) -> Option<Reply> {
    let limit = usize::try_from(MESSAGE_MAX).ok()?;
    let mut line = Zeroizing::new(Vec::with_capacity(limit));
    loop {
        stream.readable().await.ok()?;
        let mut buffer = Zeroizing::new([0; 4096]);
        match stream.try_read(buffer.as_mut_slice()) {
            Ok(0) => return None,
            Ok(count) if line.len() + count <= limit => line.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            _ => return None,
        }
        if line.ends_with(b"\n") {
            return serde_json::from_slice(&line).ok();
        }
    }
}
