//! Taking ssh's questions to whoever waits for the tunnel, and the answers back.
//!
//! ```text
//! ssh ─ askpass ── askpass.sock ──→ questions ─┬─ starter ──→ start, or this terminal
//!                                              └─ the user's own SSH_ASKPASS
//! ```
//!
//! One question is asked at a time. Where nobody waits at a terminal, as when a link is made anew, the
//! user's own program is asked, once in an attempt. While a question stands the attempt's time does not run out. An answer passes
//! through; what is kept is that there was one.

mod explain;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zeroize::Zeroizing;

use self::explain::{Exchange, explain};
use crate::openssh::failure::Failure;
use crate::supervisor::askpass::helper::{MESSAGE_MAX, Reply};
use crate::supervisor::askpass::program;
use crate::supervisor::askpass::prompt::{Asked, Question, Sort};
use crate::supervisor::starter::Starter;
use crate::system::peer;

/// How long a question waits for its answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many questions one attempt may ask: three of three servers, and one to spare.
const QUESTIONS_MAX: usize = 10;
/// How many of the lines before a question are shown with it.
const LINES_KEPT: usize = 10;
/// How long what ssh said before its question may take to get here: it comes another way.
const CATCH_UP: Duration = Duration::from_millis(50);
/// How long to leave a socket alone that cannot accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The questions of one attempt after the other.
#[derive(Debug)]
pub struct PromptBroker {
    starter: Starter,
    /// The user's own program for questions.
    program: Option<PathBuf>,
    record: Mutex<Record>,
    /// Whose turn it is to ask.
    turn: tokio::sync::Mutex<()>,
    clock: watch::Sender<Clock>,
    attempt: watch::Sender<Attempt>,
}

/// The attempt that is being made, or was made last.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    number: u64,
    open: bool,
    /// Whether a question went unanswered without which it cannot succeed.
    refused: bool,
}

/// What an attempt has asked.
#[derive(Debug, Default)]
struct Record {
    asked: Vec<Exchange>,
    said: VecDeque<String>,
    /// Whether the user's own program was asked.
    program_asked: bool,
}

/// The time that an attempt has used.
#[derive(Debug, Clone, Copy)]
enum Clock {
    /// It counts from here.
    Since(Instant),
    /// It does not count: a question stands.
    Stopped,
}

impl PromptBroker {
    /// Has `starter` answer, or `program` where nobody there can.
    pub fn new(starter: Starter, program: Option<PathBuf>) -> Self {
        Self {
            starter,
            program,
            record: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            clock: watch::Sender::new(Clock::Since(Instant::now())),
            attempt: watch::Sender::default(),
        }
    }

    /// An attempt begins.
    pub fn begin(&self) {
        *self.record() = Record::default();
        self.attempt.send_modify(|attempt| {
            *attempt = Attempt { number: attempt.number + 1, open: true, refused: false };
        });
        self.clock.send_replace(Clock::Since(Instant::now()));
    }

    /// The attempt is over, and with it its questions.
    pub fn end(&self) {
        self.attempt.send_modify(|attempt| attempt.open = false);
    }

    /// Why the attempt failed, if its questions tell better than `failure` does.
    pub fn explain(&self, failure: Failure) -> Failure {
        explain(&self.record().asked, failure)
    }

    /// ssh said something that may belong to its next question.
    pub fn said(&self, line: &str) {
        let mut record = self.record();
        if record.said.len() == LINES_KEPT {
            record.said.pop_front();
        }
        record.said.push_back(line.to_owned());
    }

    /// Resolves when the attempt has taken `limit`, the time in which a question stood not counted.
    pub async fn time_out(&self, limit: Duration) {
        let mut clock = self.clock.subscribe();
        loop {
            let now = *clock.borrow_and_update();
            match now {
                Clock::Stopped => drop(clock.changed().await),
                Clock::Since(begun) => tokio::select! {
                    () = sleep_until(begun + limit) => return,
                    _ = clock.changed() => {}
                },
            }
        }
    }

    /// Resolves when a question went unanswered without which the attempt cannot succeed.
    pub async fn refusal(&self) {
        let _ = self.attempt.subscribe().wait_for(|attempt| attempt.refused).await;
    }

    /// The answer to `question`, from whoever waits; `None` when there is none, or the attempt ends.
    async fn answer(&self, question: Question) -> Option<Zeroizing<String>> {
        let mut attempt = self.attempt.subscribe();
        let this = attempt.borrow().number;
        tokio::select! {
            answer = self.put(question) => answer,
            _ = attempt.wait_for(|now| now.number != this || !now.open) => None,
        }
    }

    /// Puts `question` to whoever waits.
    async fn put(&self, question: Question) -> Option<Zeroizing<String>> {
        let _turn = self.turn.lock().await;
        if question.sort == Sort::Server {
            sleep(CATCH_UP).await;
        }
        let (count, asked) = self.note(&question);
        let answer = if count > QUESTIONS_MAX {
            None
        } else {
            let _stopped = Stopped::new(self);
            match self.program() {
                Some(program) => program::ask(program, &question).await,
                None => timeout(PATIENCE, self.starter.ask(asked)).await.ok().flatten(),
            }
        };
        if question.sort == Sort::Notice && (self.starter.is_there() || self.program.is_some()) {
            // Whoever is to do something was told; ssh ends its helper when it is done.
            std::future::pending::<()>().await;
        }
        if let Some(last) = self.record().asked.last_mut() {
            last.answered = answer.is_some();
        }
        // Without the passphrase of one key ssh tries the next. Whatever else is not answered it asks
        // again, or tells the server so.
        if answer.is_none() && question.sort != Sort::Passphrase {
            self.attempt.send_modify(|attempt| attempt.refused = true);
        }
        answer
    }

    /// The user's own program, where it is to be asked.
    fn program(&self) -> Option<&Path> {
        let program = self.program.as_deref().filter(|_| !self.starter.can_answer())?;
        (!std::mem::replace(&mut self.record().program_asked, true)).then_some(program)
    }

    /// Notes that `question` is asked; returns how many the attempt has asked with it, and the
    /// question as it goes out.
    fn note(&self, question: &Question) -> (usize, Asked) {
        let mut record = self.record();
        let again = record.asked.last().is_some_and(|last| last.question == *question && last.answered);
        record.asked.push(Exchange { question: question.clone(), answered: false });
        let mut said: Vec<String> = record.said.drain(..).collect();
        if question.sort != Sort::Server {
            said.clear();
        }
        (record.asked.len(), Asked { question: question.clone(), said, again })
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock stands while this is there, and begins anew afterwards.
struct Stopped<'a>(&'a PromptBroker);

impl<'a> Stopped<'a> {
    fn new(prompts: &'a PromptBroker) -> Self {
        prompts.clock.send_replace(Clock::Stopped);
        Self(prompts)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.clock.send_replace(Clock::Since(Instant::now()));
    }
}

/// Serves the socket at which the helpers of ssh ask.
pub async fn serve(listener: UnixListener, prompts: Arc<PromptBroker>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if peer::is_own(&stream) => {
                tokio::spawn(pass_on(stream, Arc::clone(&prompts)));
            }
            Ok(_) => {}
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Takes one question and gives its answer, unless the one who asks goes away before.
async fn pass_on(mut stream: UnixStream, prompts: Arc<PromptBroker>) -> Option<()> {
    let question = receive(&mut stream).await?;
    let mut rest = [0];
    let answer = tokio::select! {
        answer = prompts.answer(question) => answer,
        _ = stream.read(&mut rest) => return None,
    };
    let mut reply = Reply { text: answer.as_deref().cloned() };
    let mut line = Zeroizing::new(Vec::with_capacity(usize::try_from(MESSAGE_MAX).ok()?));
    let written = serde_json::to_writer(&mut *line, &reply);
    drop(reply.text.take().map(Zeroizing::new));
    written.ok()?;
    stream.write_all(&line).await.ok()
}

async fn receive(stream: &mut UnixStream) -> Option<Question> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") && (line.len() as u64) < MESSAGE_MAX {
        if stream.read_buf(&mut line).await.ok()? == 0 {
            return None;
        }
    }
    serde_json::from_slice(&line).ok()
}
