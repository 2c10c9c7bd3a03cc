//! Doubt in a link, as commands and prompts see it. A link that does not answer is not shown as up, although the
//! supervisor keeps it and it may recover.

use std::convert::Infallible;

use super::link::check::Check;
use super::publish::Publisher;

impl Publisher<'_> {
    /// Publishes each doubt in the link of `check`, and its end. Never returns.
    pub(super) async fn doubts(&self, check: &Check<'_>) -> Infallible {
        loop {
            let mut doubt = check.doubt();
            doubt.arise().await;
            self.log_error(self.state_file().doubt());
            self.renew_promise();
            doubt.pass().await;
            self.confirm();
        }
    }

    /// Publishes that the link is alive.
    pub(super) fn confirm(&self) {
        self.log_error(self.state_file().trust());
        self.renew_promise();
    }
}
