//! Requests the forwards of a new link, all at once. The link counts as up when ssh and the server have
//! confirmed each.

use std::sync::Arc;

use super::contact::Contact;
use super::line_reader::LineReader;
use super::mux;
use super::permission::Forbidden;
use crate::config::forwarding::{ForwardSpec, Listen, Target};
use crate::openssh::failure::{self, Failure, Kind, SshOutput};
use crate::terminal::printable;

/// Requester of one link's forwards.
#[derive(Debug)]
pub struct Requester {
    /// The contact to ssh. The target of its probe does not exist; the server may forbid it.
    pub contact: Arc<Contact>,
    /// ssh's log.
    pub log: LineReader,
}

impl Requester {
    /// Requests `forwards`; fails with the ones that ssh or the server refuses.
    pub async fn request(&self, forwards: Vec<ForwardSpec>) -> Result<(), Failure> {
        let of_local = |spec: &ForwardSpec| match spec {
            ForwardSpec::Local(_, target) => Some(target.clone()),
            ForwardSpec::Remote(..) | ForwardSpec::Socks(_) => None,
        };
        let targets: Vec<Target> = forwards.iter().filter_map(of_local).collect();
        let forwards: Vec<ForwardSpec> = forwards.into_iter().chain([self.contact.probe.forward()]).collect();
        let contact = &self.contact;
        // The server is asked meanwhile: a start waits for both.
        let (answers, refused) =
            tokio::join!(mux::open_all(&contact.control, &forwards), contact.permission.forbidden(&targets));
        let answers = answers.map_err(|error| Failure {
            kind: Kind::Other,
            reason: format!("ssh is not answering on its control socket: {error}"),
        })?;
        if let Some((forward, said)) =
            forwards.iter().zip(answers).find_map(|(forward, answer)| Some((forward, answer.err()?)))
        {
            return Err(self.refused(forward, &said));
        }
        match forbidden(&refused) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn refused(&self, forward: &ForwardSpec, said: &str) -> Failure {
        if let ForwardSpec::Remote(listen, _) = forward {
            return listen_refused(listen, said);
        }
        let _ = self.log.catch_up();
        // ssh gives the reason only in its log.
        let failure = failure::classify(&SshOutput { log: self.log.kept(), others: Vec::new() });
        let why = if failure.kind == Kind::ForwardRefused { failure.reason } else { said.to_owned() };
        let target = forward.target().map_or_else(|| forward.to_string(), Target::to_string);
        let reason = format!("ssh on this machine refuses the forward to {target}: {why}");
        Failure { kind: Kind::ForwardRefused, reason: printable(&reason).into_owned() }
    }
}

/// Returns the failure of a remote forward that the server refuses to listen for.
pub fn listen_refused(listen: &Listen, said: &str) -> Failure {
    let said = said.trim().trim_end_matches('.');
    let reason = format!("the server refuses to listen on {listen}: {said}");
    Failure { kind: Kind::ListenRefused, reason: printable(&reason).into_owned() }
}

/// Returns the failure of forbidden forwards; `None` if there are none.
pub fn forbidden(forbidden: &[Forbidden]) -> Option<Failure> {
    let first = forbidden.first()?;
    let targets: Vec<String> = forbidden.iter().map(|forbidden| forbidden.target.to_string()).collect();
    let reason = format!("the server forbids forwarding to {}: {}", targets.join(", "), first.reason);
    Some(Failure { kind: Kind::ForwardForbidden, reason: printable(&reason).into_owned() })
}
