//! Who hears how a tunnel is doing, and answers what ssh asks: the `start` that waits for it, or
//! the terminal it runs in.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::supervisor::askpass::helper::{MESSAGE_MAX, Reply};
use crate::supervisor::askpass::prompt::Asked;
use crate::supervisor::askpass::terminal::{self, Outcome};
use crate::supervisor::protocol::event::{self, Event};
use crate::supervisor::protocol::progress::Report;
use crate::supervisor::protocol::request::Request;

/// How much of what ssh says is kept while a question stands.
const EVENTS_HELD: usize = 100;

/// Takes the events of a tunnel. Copies share one ear.
#[derive(Debug, Clone)]
pub struct Audience {
    hearing: Arc<Mutex<Hearing>>,
}

#[derive(Debug)]
struct Hearing {
    ear: Ear,
    /// While a question stands: what ssh has said meanwhile, which is told afterwards.
    held: Option<Vec<Event>>,
}

#[derive(Debug)]
enum Ear {
    /// The terminal of a tunnel in the foreground.
    Terminal(Report),
    /// The `start` that spawned this process.
    Starter(Starter),
    /// The start is over; nobody listens.
    Nobody,
}

/// A `start` that waits.
#[derive(Debug)]
struct Starter {
    stream: UnixStream,
    /// Whether it shows what ssh says.
    verbose: bool,
    /// Whether it can put a question to the user.
    can_answer: bool,
    /// Who waits for its answer.
    waiting: Option<oneshot::Sender<Answer>>,
    /// Events that it has not had room for yet: a server may have ssh write faster than it reads.
    unsent: Vec<u8>,
    /// Told when there are such events.
    full: Arc<Notify>,
    /// Whether the last event is among them.
    over: bool,
}

type Answer = Option<Zeroizing<String>>;

impl Audience {
    /// The terminal, for a tunnel in the foreground.
    pub fn terminal(report: Report) -> Self {
        Self::new(Ear::Terminal(report))
    }

    /// The `start` of `request` at the other end of `stream`.
    pub fn starter(stream: UnixStream, request: &Request) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (waiting, unsent, full, over) = (None, Vec::new(), Arc::default(), false);
        let (verbose, can_answer) = (request.verbose, request.can_answer);
        Ok(Self::new(Ear::Starter(Starter { stream, verbose, can_answer, waiting, unsent, full, over })))
    }

    fn new(ear: Ear) -> Self {
        Self { hearing: Arc::new(Mutex::new(Hearing { ear, held: None })) }
    }

    /// Whether this is a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self.hearing().ear, Ear::Terminal(_))
    }

    /// Whether somebody listens.
    pub fn is_there(&self) -> bool {
        match &self.hearing().ear {
            Ear::Terminal(report) => report.can_ask(),
            Ear::Starter(starter) => !starter.over,
            Ear::Nobody => false,
        }
    }

    /// Whether somebody listens who can put a question to the user.
    pub fn can_answer(&self) -> bool {
        let is_mute = matches!(&self.hearing().ear, Ear::Starter(starter) if !starter.can_answer);
        !is_mute && self.is_there()
    }

    /// Tells an event. A starter hears no more after the one that ends its wait. One that does not
    /// read does not hold the tunnel up: it misses what ssh says, and gets everything else late.
    pub fn tell(&self, event: &Event) {
        let mut hearing = self.hearing();
        match (&mut hearing.held, event) {
            (Some(held), Event::Said { .. }) => {
                if held.len() < EVENTS_HELD {
                    held.push(event.clone());
                }
            }
            _ => hearing.ear.tell(event),
        }
    }

    /// Has a question answered; `None` when nobody does. The question is withdrawn when this is
    /// dropped.
    pub async fn ask(&self, asked: Asked) -> Answer {
        let held = Held::new(self);
        let (report, answer) = {
            let mut hearing = held.0.hearing();
            match &mut hearing.ear {
                Ear::Terminal(report) => (Some(report.clone()), None),
                Ear::Starter(starter) => {
                    let (sender, receiver) = oneshot::channel();
                    starter.waiting = Some(sender);
                    hearing.ear.tell(&Event::Question { asked: asked.clone() });
                    (None, Some(receiver))
                }
                Ear::Nobody => (None, None),
            }
        };
        match (report, answer) {
            (Some(report), _) if report.can_ask() => ask_here(asked).await,
            (_, Some(answer)) => answer.await.ok().flatten(),
            _ => None,
        }
    }

    /// Listens to the starter: hands on its answers, tells it what it had no room for, and stops the
    /// tunnel when it goes away before its wait is over.
    pub fn listen(&self, stopper: watch::Sender<bool>) {
        let hearing = self.hearing();
        let Ear::Starter(starter) = &hearing.ear else { return };
        let clone = || starter.stream.try_clone().and_then(tokio::net::UnixStream::from_std);
        let (Ok(stream), Ok(writer), full) = (clone(), clone(), Arc::clone(&starter.full)) else { return };
        let this = self.clone();
        tokio::spawn(async move {
            while let Some(reply) = receive(&stream).await {
                this.answered(reply);
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

    /// Whether there is a starter, be it that it has only not heard the end.
    fn is_starter(&self) -> bool {
        matches!(self.hearing().ear, Ear::Starter(_))
    }

    /// Whether there is a starter that waits for what becomes of the tunnel.
    fn is_waited_for(&self) -> bool {
        matches!(&self.hearing().ear, Ear::Starter(starter) if !starter.over)
    }

    fn answered(&self, reply: Reply) {
        let waiting = match &mut self.hearing().ear {
            Ear::Starter(starter) => starter.waiting.take(),
            _ => None,
        };
        // Nobody waits any more for the answer to a question that was withdrawn.
        let _ = waiting.map(|waiting| waiting.send(reply.text.map(Zeroizing::new)));
    }

    /// Sends the starter what it had no room for, over `stream`; true when that is done.
    fn catch_up(&self, stream: &tokio::net::UnixStream) -> bool {
        self.hearing().ear.send(|bytes| stream.try_write(bytes))
    }

    /// Sends the starter the rest, when nothing else is left to be done.
    pub fn finish(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        if let Ear::Starter(Starter { stream, unsent, .. }) = &mut self.hearing().ear {
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_write_timeout(Some(PATIENCE));
            let _ = stream.write_all(unsent);
        }
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ear {
    fn tell(&mut self, event: &Event) {
        match self {
            Self::Terminal(report) => report.show(event),
            Self::Starter(starter) if !starter.takes(event) => {}
            Self::Starter(starter) => {
                starter.over = event.clone().outcome().is_some();
                if event::send(&mut starter.unsent, event).is_ok()
                    && let Ok(stream) = starter.stream.try_clone()
                {
                    self.send(|bytes| (&stream).write(bytes));
                }
            }
            Self::Nobody => {}
        }
    }

    /// Writes what is unsent, as far as there is room; true when nothing is left.
    fn send(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> bool {
        let Self::Starter(starter) = self else { return true };
        while !starter.unsent.is_empty() {
            match write(&starter.unsent) {
                Ok(written) => drop(starter.unsent.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    starter.full.notify_one();
                    return false;
                }
                Err(_) => {
                    *self = Self::Nobody;
                    return true;
                }
            }
        }
        if starter.over {
            *self = Self::Nobody;
        }
        true
    }
}

impl Starter {
    /// Whether it is told of `event`.
    fn takes(&self, event: &Event) -> bool {
        let is_talk = matches!(event, Event::Said { .. });
        !self.over && (!is_talk || self.verbose && self.unsent.is_empty())
    }
}

/// While this is there, what ssh says is held back: it would run into the question.
struct Held<'a>(&'a Audience);

impl<'a> Held<'a> {
    fn new(audience: &'a Audience) -> Self {
        audience.hearing().held = Some(Vec::new());
        Self(audience)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut hearing = self.0.hearing();
        for event in hearing.held.take().unwrap_or_default() {
            hearing.ear.tell(&event);
        }
    }
}

/// Asks at the terminal of this process.
async fn ask_here(asked: Asked) -> Answer {
    // Its end tells the one who asks that nobody wants to know any more.
    let (_wanted, end) = UnixStream::pair().ok()?;
    let outcome = spawn_blocking(move || terminal::ask(&asked, end.as_fd())).await.ok()?;
    match outcome {
        Outcome::Answered(answer) => Some(answer),
        Outcome::Unanswered | Outcome::Withdrawn => None,
        Outcome::Interrupted(watch) => {
            // The signal, now let through, stops the tunnel, and this with it.
            drop(watch);
            std::future::pending().await
        }
    }
}

/// The next thing the starter says; `None` at its end. What it says is not kept anywhere else.
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
