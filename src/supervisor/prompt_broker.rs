//! Broker of ssh's questions: carries them to the starter, and the answers back.
//!
//! ```text
//! ssh ─ askpass ── askpass.sock ──→ broker ─┬─ starter ──→ start, or this terminal
//!                                           └─ the user's own SSH_ASKPASS
//! ```
//!
//! One question is asked at a time. Without a starter, as when reconnecting, the user's own program is asked, once in
//! an attempt. The attempt's time limit does not count questions. Answers pass through and are not stored.

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

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest number of questions in an attempt: three of three servers, and one to spare.
const QUESTIONS_MAX: usize = 10;
/// Number of earlier lines to show with a question.
const LINES_KEPT: usize = 10;
/// Time for ssh's log lines from before the question to arrive, which come another way.
const CATCH_UP: Duration = Duration::from_millis(50);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Broker of the questions of one attempt after the other.
#[derive(Debug)]
pub struct PromptBroker {
    starter: Starter,
    /// The user's askpass program.
    program: Option<PathBuf>,
    record: Mutex<Record>,
    /// Held by the question that is being asked.
    turn: tokio::sync::Mutex<()>,
    clock: watch::Sender<Clock>,
    attempt: watch::Sender<Attempt>,
}

/// The present or last attempt.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    number: u64,
    open: bool,
    /// True if a question without which the attempt cannot succeed was not answered.
    refused: bool,
}

/// Questions of an attempt.
#[derive(Debug, Default)]
struct Record {
    asked: Vec<Exchange>,
    said: VecDeque<String>,
    /// True if the user's program was asked.
    program_asked: bool,
}

/// Elapsed time of an attempt.
#[derive(Debug, Clone, Copy)]
enum Clock {
    /// Counts from here.
    Since(Instant),
    /// Stands still during a question.
    Stopped,
}

impl PromptBroker {
    /// Returns a broker that asks `starter`, or `program` if the starter cannot answer.
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

    /// Begins an attempt.
    pub fn begin(&self) {
        *self.record() = Record::default();
        self.attempt.send_modify(|attempt| {
            *attempt = Attempt { number: attempt.number + 1, open: true, refused: false };
        });
        self.clock.send_replace(Clock::Since(Instant::now()));
    }

    /// Returns true if ssh has asked something in the attempt.
    pub fn has_asked(&self) -> bool {
        !self.record().asked.is_empty()
    }

    /// Ends the attempt and its questions.
    pub fn end(&self) {
        self.attempt.send_modify(|attempt| attempt.open = false);
    }

    /// Returns a better reason for `failure` if the attempt's questions have one.
    pub fn explain(&self, failure: Failure) -> Failure {
        explain(&self.record().asked, failure)
    }

    /// Records a line of ssh that may belong to its next question.
    pub fn said(&self, line: &str) {
        let mut record = self.record();
        if record.said.len() == LINES_KEPT {
            record.said.pop_front();
        }
        record.said.push_back(line.to_owned());
    }

    /// Waits until the attempt has taken `limit`, without the time for questions.
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

    /// Waits until a question without which the attempt cannot succeed was not answered.
    pub async fn refusal(&self) {
        let _ = self.attempt.subscribe().wait_for(|attempt| attempt.refused).await;
    }

    /// Returns the answer to `question`; `None` without one, or if the attempt ends.
    async fn answer(&self, question: Question) -> Option<Zeroizing<String>> {
        let mut attempt = self.attempt.subscribe();
        let this = attempt.borrow().number;
        tokio::select! {
            answer = self.put(question) => answer,
            _ = attempt.wait_for(|now| now.number != this || !now.open) => None,
        }
    }

    /// Asks `question`.
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
            // A notice was shown; ssh ends its helper when it is done.
            std::future::pending::<()>().await;
        }
        if let Some(last) = self.record().asked.last_mut() {
            last.answered = answer.is_some();
        }
        // Without the passphrase of one key, ssh tries the next. It repeats other unanswered questions, or
        // passes that on to the server.
        if answer.is_none() && question.sort != Sort::Passphrase {
            self.attempt.send_modify(|attempt| attempt.refused = true);
        }
        answer
    }

    /// Returns the user's program if it may be asked.
    fn program(&self) -> Option<&Path> {
        let program = self.program.as_deref().filter(|_| !self.starter.can_answer())?;
        (!std::mem::replace(&mut self.record().program_asked, true)).then_some(program)
    }

    /// Records `question`; returns the number of questions so far and the question as it is asked.
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

/// Stops the clock until dropped, then restarts it.
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

/// Serves the socket of ssh's helpers.
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

/// Handles one question, unless its helper goes away.
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
