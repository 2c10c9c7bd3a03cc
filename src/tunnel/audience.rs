//! Who hears how a tunnel is doing: the `start` that waits for it, or the terminal it runs in.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::channel::{self, Event};
use super::report::Report;

/// Takes the events of a tunnel. Copies share one ear.
#[derive(Debug, Clone)]
pub struct Audience {
    ear: Arc<Mutex<Ear>>,
}

#[derive(Debug)]
enum Ear {
    /// The terminal of a tunnel in the foreground.
    Terminal(Report),
    /// The `start` that spawned this process.
    Starter(UnixStream),
    /// The start is over; nobody listens.
    Nobody,
}

impl Audience {
    /// The terminal, for a tunnel in the foreground.
    pub fn terminal(report: Report) -> Self {
        Self { ear: Arc::new(Mutex::new(Ear::Terminal(report))) }
    }

    /// The `start` at the other end of `stream`.
    pub fn starter(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { ear: Arc::new(Mutex::new(Ear::Starter(stream))) })
    }

    /// Whether this is a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(&*self.ear.lock().unwrap_or_else(PoisonError::into_inner), Ear::Terminal(_))
    }

    /// Tells an event. A starter hears no more after the one that ends its wait; one that does not
    /// listen does not hold the tunnel up.
    pub fn tell(&self, event: &Event) {
        let mut ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *ear {
            Ear::Terminal(report) => report.show(event),
            Ear::Starter(stream) => {
                let sent = channel::send(stream, event).and_then(|()| stream.flush());
                if sent.is_err() || event.clone().outcome().is_some() {
                    *ear = Ear::Nobody;
                }
            }
            Ear::Nobody => {}
        }
    }

    /// Stops the tunnel when the starter goes away before its wait is over.
    pub fn on_departure(&self, stopper: watch::Sender<bool>) {
        let ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        let Ear::Starter(stream) = &*ear else { return };
        let Ok(stream) = stream.try_clone().and_then(tokio::net::UnixStream::from_std) else { return };
        let this = self.clone();
        tokio::spawn(async move {
            // The starter has nothing more to say, so whatever can be read is its end.
            let _ = stream.readable().await;
            let waiting =
                matches!(&*this.ear.lock().unwrap_or_else(PoisonError::into_inner), Ear::Starter(_));
            if waiting {
                stopper.send_replace(true);
            }
        });
    }
}
