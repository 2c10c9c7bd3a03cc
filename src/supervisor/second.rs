//! Second ssh: starts beside the first when the link is in doubt. It takes over if it is up before the link has shown a
//! sign of life.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::connect::{Connector, come_up};
use super::end::Reason;
use super::link::check::Check;
use super::link::contact::Contact;
use super::link::process::Link;
use super::link::sessions;
use super::prompt_broker::PromptBroker;
use super::publish::Publisher;
use crate::config::forwarding::ForwardSpec;
use crate::openssh::Login;
use crate::openssh::failure::{self, Failure, Kind};
use crate::runtime::ssh_directory::Side;

/// A second ssh, which is up and carries these forwards.
pub(super) struct Second {
    link: Link,
    contact: Arc<Contact>,
    carried: Vec<ForwardSpec>,
}

/// Login and budget of a second ssh.
pub(super) struct Means<'a> {
    pub(super) login: &'a Login,
    pub(super) backoff: &'a mut Backoff,
}

impl Means<'_> {
    /// Starts a second ssh once the link of `check` is in doubt. Returns it if it is up before that link has shown a
    /// sign of life; otherwise never returns.
    pub(super) async fn second(
        self,
        check: &Check<'_>,
        connector: &Connector,
        publisher: &Publisher<'_>,
        reason: Reason,
    ) -> Second {
        let Self { login, backoff } = self;
        if !backoff.may_start_second(Instant::now()) {
            return std::future::pending().await;
        }
        let mut doubt = check.doubt();
        doubt.arise().await;
        backoff.start_second(Instant::now());
        let log = |text: &str| publisher.log().write(&format!("{reason}: {text}"));
        log("the link is in doubt; starting a second ssh");
        let attempt = Attempt { prompts: &connector.prompts, backoff };
        match connector.connect_beside(login, publisher).await {
            Ok(second) if doubt.persists() => {
                log("the link is still silent; the second ssh takes over");
                attempt.backoff.second_took_over();
                return second;
            }
            Ok(second) => {
                log("the link is alive; the second ssh ends");
                second.link.end().await;
            }
            Err(failure) => {
                log(&format!("the second ssh failed: {}", failure.reason));
                attempt.backoff.second_failed(failure.kind);
            }
        }
        drop(attempt);
        std::future::pending().await
    }
}

/// Attempt to start a second ssh. Its end, which can come at any time because the link is alive, ends its questions. If
/// there were any, there is no further attempt: questions out of the blue, for a link that may be alive, are a nuisance.
struct Attempt<'a> {
    prompts: &'a PromptBroker,
    backoff: &'a mut Backoff,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.prompts.end();
        if self.prompts.has_asked() {
            self.backoff.second_asked();
        }
    }
}

impl Connector {
    /// Starts a second ssh beside the present one, and returns it once it is up. It is killed if the result is
    /// dropped.
    async fn connect_beside(&self, login: &Login, publisher: &Publisher<'_>) -> Result<Second, Failure> {
        let contact = Arc::new(Contact::new(&self.directory, self.contact.side.other()));
        let mut link = self.spawn(login, &contact, publisher)?;
        let requested = self.request_forwards(false, &contact, link.log());
        let outcome = tokio::select! {
            outcome = come_up(&mut link, &contact.control, requested) => outcome,
            () = self.prompts.time_out(Duration::from_secs(login.connect_timeout)) => {
                Err(Failure { kind: Kind::TimedOut, reason: "timed out".into() })
            }
            () = self.prompts.refusal() => Err(failure::classify(&link.said())),
        };
        match outcome {
            Ok(carried) => Ok(Second { link, contact, carried }),
            Err(failure) => {
                link.end().await;
                Err(self.prompts.explain(failure))
            }
        }
    }

    /// Makes `second` the present ssh.
    pub(super) async fn switch_to(&mut self, second: Second) -> Result<Link, Failure> {
        self.contact = second.contact;
        self.forward_table.switch(&self.contact, &second.carried).await;
        self.set_present()?;
        Ok(second.link)
    }

    /// Returns the number of sessions, of `soong ssh` for example, that any ssh of this tunnel carries.
    pub(super) fn sessions(&self) -> usize {
        let count = |side| sessions::count(&self.directory.ssh_directory(side).control());
        Side::ALL.into_iter().map(count).sum()
    }
}
