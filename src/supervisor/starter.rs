//! Who hears how a tunnel is doing, and answers what ssh asks: the `start` that waits for it, or
//! the terminal it runs in.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::supervisor::askpass::helper::{MESSAGE_MAX, Reply};
use crate::supervisor::askpass::prompt::Asked;
use crate::supervisor::askpass::terminal::{self, Outcome};
use crate::supervisor::protocol::event::{self, Event};
use crate::supervisor::protocol::progress::Report;

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
    /// The `start` that spawned this process, and who waits for its answer.
    Starter(UnixStream, Option<oneshot::Sender<Answer>>),
    /// The start is over; nobody listens.
    Nobody,
}

type Answer = Option<Zeroizing<String>>;

impl Audience {
    /// The terminal, for a tunnel in the foreground.
    pub fn terminal(report: Report) -> Self {
        Self::new(Ear::Terminal(report))
    }

    /// The `start` at the other end of `stream`.
    pub fn starter(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::new(Ear::Starter(stream, None)))
    }

    fn new(ear: Ear) -> Self {
        Self { hearing: Arc::new(Mutex::new(Hearing { ear, held: None })) }
    }

    /// Whether this is a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self.hearing().ear, Ear::Terminal(_))
    }

    /// Whether somebody listens who can answer.
    pub fn is_there(&self) -> bool {
        match &self.hearing().ear {
            Ear::Terminal(report) => report.can_ask(),
            Ear::Starter(..) => true,
            Ear::Nobody => false,
        }
    }

    /// Tells an event. A starter hears no more after the one that ends its wait; one that does not
    /// listen does not hold the tunnel up.
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
                Ear::Starter(stream, waiting) => {
                    let (sender, receiver) = oneshot::channel();
                    event::send(stream, &Event::Question { asked: asked.clone() }).ok()?;
                    *waiting = Some(sender);
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

    /// Listens to the starter: hands on its answers, and stops the tunnel when it goes away before
    /// its wait is over.
    pub fn listen(&self, stopper: watch::Sender<bool>) {
        let hearing = self.hearing();
        let Ear::Starter(stream, _) = &hearing.ear else { return };
        let Ok(stream) = stream.try_clone().and_then(tokio::net::UnixStream::from_std) else { return };
        let this = self.clone();
        tokio::spawn(async move {
            while let Some(reply) = receive(&stream).await {
                let waiting = match &mut this.hearing().ear {
                    Ear::Starter(_, waiting) => waiting.take(),
                    _ => None,
                };
                // Nobody waits any more for the answer to a question that was withdrawn.
                let _ = waiting.map(|waiting| waiting.send(reply.text.map(Zeroizing::new)));
            }
            if matches!(this.hearing().ear, Ear::Starter(..)) {
                stopper.send_replace(true);
            }
        });
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ear {
    fn tell(&mut self, event: &Event) {
        match self {
            Self::Terminal(report) => report.show(event),
            Self::Starter(stream, _) => {
                let sent = event::send(stream, event).and_then(|()| stream.flush());
                if sent.is_err() || event.clone().outcome().is_some() {
                    *self = Self::Nobody;
                }
            }
            Self::Nobody => {}
        }
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
