//! State file of a running tunnel. Every part of the supervisor that changes the state does so here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::runtime::directory::{Directory, Lock};
use crate::runtime::state::State;

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
}

impl StateFile {
    /// Returns the file of `directory`, whose lock is `lock`. Does not write yet.
    pub(crate) fn new(directory: Directory, lock: Arc<Lock>, state: State) -> Self {
        Self { directory, lock, content: Mutex::new(Content { state, written: None }) }
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

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
