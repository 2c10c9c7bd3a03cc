//! State file of a running tunnel. Every part of the supervisor that changes the state does so here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::runtime::directory::{Directory, Lock};
use crate::runtime::state::{Phase, State};
use crate::system::time::now;

/// Reason of the phase of a link in doubt.
const IN_DOUBT: &str = "the link does not answer";

/// State of the tunnel and its file.
#[derive(Debug)]
pub(crate) struct StateFile {
    directory: Directory,
    lock: Arc<Lock>,
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    state: State,
    /// The state in the file; `None` before the first write and after one that failed.
    written: Option<State>,
    /// While the link is in doubt: when it came up, in seconds since the epoch, and the last error before that.
    doubted: Option<(u64, Option<String>)>,
}

impl StateFile {
    /// Returns the file of `directory`, whose lock is `lock`. Does not write yet.
    pub(crate) fn new(directory: Directory, lock: Arc<Lock>, state: State) -> Self {
        Self { directory, lock, content: Mutex::new(Content { state, written: None, doubted: None }) }
    }

    /// Returns the present state.
    pub(crate) fn get(&self) -> State {
        self.content().state.clone()
    }

    /// Changes the state, and writes it if it differs from the file. The change is kept if the
    /// write fails. A directory that was deleted or replaced stays as it is, as it may be
    /// another tunnel's.
    pub(crate) fn update(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut content = self.content();
        change(&mut content.state);
        if content.written.as_ref() != Some(&content.state) && self.directory.is_held_by(&self.lock) {
            content.written = None;
            content.state.write(&self.directory)?;
            content.written = Some(content.state.clone());
        }
        Ok(())
    }

    /// Shows a link that is up as lost while it is in doubt.
    pub(crate) fn doubt(&self) -> Result<()> {
        let State { since, last_error, .. } = self.get();
        self.content().doubted = Some((since, last_error));
        self.update(|state| {
            state.phase = Phase::Reconnecting;
            state.since = now();
            state.last_error = Some(IN_DOUBT.to_owned());
        })
    }

    /// Shows a link that was in doubt as up again.
    pub(crate) fn trust(&self) -> Result<()> {
        let Some((since, last_error)) = self.content().doubted.take() else { return Ok(()) };
        self.update(|state| {
            // Another link may have come up meanwhile.
            if state.phase == Phase::Reconnecting {
                state.phase = Phase::Up;
                state.since = since;
                state.last_error = last_error;
            }
        })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
