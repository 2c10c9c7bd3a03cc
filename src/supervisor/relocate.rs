//! What a supervisor does about news of its instance, and how it passes its own news on to hooks.

use super::Supervisor;
use super::protocol::hook_event::{self, Occasion};
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::runtime::state::Phase;
use crate::runtime::urls::variables;
use crate::supervisor::protocol::location::Relocation;

impl Supervisor<'_> {
    /// Goes on with the instance where it is now; an error when it is gone.
    pub(super) fn heed(&mut self, news: Relocation) -> Result<()> {
        match news {
            Relocation::There { instance } => {
                self.retarget(*instance);
                Ok(())
            }
            Relocation::Gone { reason, hints } => {
                self.enter(Phase::Failed, |state| {
                    state.next_retry = None;
                    state.last_error = Some(reason.clone());
                    state.hints.clone_from(&hints);
                });
                self.fire(Occasion::Failed, &reason);
                Err(Error::Failed { message: reason, hints })
            }
        }
    }

    /// Has the user's hook for this run, if there is one.
    pub(super) fn fire(&mut self, occasion: Occasion, reason: &str) {
        let instance = &self.state.instance;
        let own = [
            ("SOONG_EVENT", occasion.word()),
            ("SOONG_INSTANCE_NAME", &instance.name),
            ("SOONG_INSTANCE_ID", &instance.id),
            ("SOONG_HOST", &instance.host),
            ("SOONG_REASON", reason),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.replace('\0', "")));
        let variables = own.chain(variables(&self.state.forwards)).collect();
        if let Err(error) = self.hooks.fire(&hook_event::Event { occasion, variables }) {
            self.log.write(&format!("hook {}: {error}", occasion.word()));
        }
    }

    /// Logs in there from now on. Name and id stay what they were: they are this tunnel's.
    fn retarget(&mut self, now: Instance) {
        let target = &mut self.request.login.instance;
        self.log.write(&format!("the instance has moved from {} to {}", target.host, now.host));
        target.host.clone_from(&now.host);
        target.port = now.port;
        target.user = now.user;
        target.user_is_default = now.user_is_default;
        self.state.instance.host = now.host;
        if let Err(error) = self.state.write(&self.directory) {
            self.log.write(&error.to_string());
        }
    }
}
