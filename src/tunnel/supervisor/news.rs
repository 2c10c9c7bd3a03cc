//! What a supervisor does about news of its instance.

use super::Supervisor;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::runtime::state::Phase;
use crate::tunnel::whereabouts::News;

impl Supervisor<'_> {
    /// Goes on with the instance where it is now; an error when it is gone.
    pub(super) fn heed(&mut self, news: News) -> Result<()> {
        match news {
            News::There { instance } => {
                self.retarget(*instance);
                Ok(())
            }
            News::Gone { reason, hints } => {
                self.enter(Phase::Failed, |state| {
                    state.next_retry = None;
                    state.last_error = Some(reason.clone());
                    state.hints.clone_from(&hints);
                });
                Err(Error::Failed { message: reason, hints })
            }
        }
    }

    /// Logs in there from now on. Name and id stay what they were: they are this tunnel's.
    fn retarget(&mut self, now: Instance) {
        let target = &mut self.request.login.instance;
        self.log.write(&format!("the instance has moved from {} to {}", target.host, now.host));
        target.host.clone_from(&now.host);
        target.port = now.port;
        target.user = now.user;
        self.state.instance.host = now.host;
        if let Err(error) = self.state.write(&self.directory) {
            self.log.write(&error.to_string());
        }
    }
}
