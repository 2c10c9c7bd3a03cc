//! Table of a running tunnel's forwards: their listeners, whether the present ssh carries them, and changes that
//! leave open connections alone.
//!
//! For services, other local forwards and proxies, the supervisor listens, and connections wait for the link. The
//! server listens for remote ones. For the first link, a refusal fails the start. For later ones, refused remote
//! forwards are requested again and again: the server may not have noticed that the old link is dead, which must not
//! delay the others.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::demand::Waiting;
use super::metrics::Metrics;
use super::reserve::Reserved;
use super::serve;
use super::socks;
use super::unix_socket::{self, Endpoint};
use super::uplink::Uplink;
use crate::config::forwarding::{FORWARDS_MAX, ForwardSpec, Kind, Listen};
use crate::error::{Error, Result};
use crate::openssh::failure::{self, Failure};
use crate::runtime::control;
use crate::runtime::directory::Directory;
use crate::runtime::forward::{Forward, Origin};
use crate::runtime::log::Log;
use crate::supervisor::link::contact::Contact;
use crate::supervisor::link::forwards;
use crate::supervisor::link::mux::{self, Control, Refusal};
use crate::supervisor::state_file::StateFile;
use crate::terminal::printable;

/// Pause before a refused forward is requested again.
const RETRY: Duration = Duration::from_secs(3);

/// The forwards of one tunnel.
#[derive(Debug)]
pub struct ForwardTable {
    directory: Directory,
    state_file: Arc<StateFile>,
    /// Control socket of the present ssh, whichever that is.
    control: Control,
    contact: std::sync::Mutex<Arc<Contact>>,
    log: Arc<Log>,
    uplink: Uplink,
    metrics: Metrics,
    entries: Mutex<Vec<Entry>>,
    changed: Notify,
}

#[derive(Debug)]
struct Entry {
    forward: Forward,
    /// True if the present ssh carries it.
    carried: bool,
    /// Tasks that accept its connections.
    listeners: Vec<JoinHandle<()>>,
    /// Unix socket on which they listen.
    file: Option<unix_socket::SocketFile>,
}

impl ForwardTable {
    /// Returns an empty table.
    pub fn new(
        directory: &Directory,
        state_file: Arc<StateFile>,
        control: Control,
        contact: &Arc<Contact>,
        uplink: Uplink,
        metrics: Metrics,
        log: Arc<Log>,
    ) -> Self {
        Self {
            directory: directory.clone(),
            state_file,
            control,
            contact: std::sync::Mutex::new(Arc::clone(contact)),
            log,
            uplink,
            metrics,
            entries: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Accepts connections to the listening ends of `reserved`.
    pub async fn begin(&self, reserved: Vec<Reserved>) -> Result<()> {
        let mut entries = self.entries.lock().await;
        for Reserved { forward, endpoint } in reserved {
            entries.push(self.entry(forward, endpoint)?);
        }
        Ok(())
    }

    /// Returns the forwards that the ssh of `contact` must carry before its link counts as up, each with the request to
    /// ssh: all for the `first`, later ones without the remote forwards.
    pub async fn wanted(&self, first: bool, contact: &Contact) -> Vec<(ForwardSpec, ForwardSpec)> {
        let entries = self.entries.lock().await;
        let specs = entries.iter().map(|entry| &entry.forward.spec);
        let specs = specs.filter(|spec| first || spec.kind() != Kind::Remote);
        specs.filter_map(|spec| Some((spec.clone(), contact.request(spec)?))).collect()
    }

    /// Makes the ssh of `contact` the present one. It carries `specs`, and no other forwards yet.
    pub async fn switch(&self, contact: &Arc<Contact>, specs: &[ForwardSpec]) {
        let mut entries = self.entries.lock().await;
        for entry in entries.iter_mut() {
            let spec = &entry.forward.spec;
            entry.carried = specs.contains(spec) || contact.request(spec).is_none();
        }
        self.control.expect_same(&contact.control);
        *self.contact.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(contact);
    }

    /// Requests the missing forwards from ssh until they are carried. Drop it when that ssh ends.
    pub async fn settle(&self) {
        loop {
            let mut all = true;
            let mut entries = self.entries.lock().await;
            for entry in entries.iter_mut().filter(|entry| !entry.carried) {
                let outcome = self.open(&entry.forward.spec).await;
                entry.carried = outcome.is_ok();
                all &= entry.carried;
                let error = outcome.err().map(|refusal| reason_of(&refusal.to_string()));
                if let (Some(error), true) = (&error, error != entry.forward.error) {
                    self.log.write(&format!("{}: {error}", entry.forward.spec));
                }
                entry.forward.error = error;
            }
            self.record(&entries);
            drop(entries);
            if all {
                self.changed.notified().await;
            } else {
                sleep(RETRY).await;
            }
        }
    }

    /// Adds a forward. Fails if ssh refuses it; without a link, that shows later.
    pub async fn add(&self, spec: ForwardSpec) -> Result<()> {
        let mut entries = self.entries.lock().await;
        Self::check(&spec, &entries, self.state_file.get().on_demand.is_some())?;
        let endpoint = unix_socket::open(&spec).map_err(|error| unix_socket::refused(&spec, &error))?;
        let mut entry = self.entry(Forward::other(spec, Origin::Command), endpoint)?;
        if self.uplink.is_up() {
            match self.open_now(&entry.forward.spec).await {
                Ok(carried) => entry.carried = carried,
                Err(failure) => {
                    entry.close().await;
                    let hints = failure::forward_hints(failure.kind);
                    return Err(Error::Failed { message: failure.reason, hints });
                }
            }
        }
        self.log.write(&format!("added: {}", entry.forward.spec));
        entries.push(entry);
        self.record(&entries);
        self.changed.notify_one();
        Ok(())
    }

    /// Removes a forward; its connections stay.
    pub async fn remove(&self, spec: &ForwardSpec) -> Result<()> {
        let mut entries = self.entries.lock().await;
        let is_meant = |entry: &Entry| entry.forward.spec == *spec && !entry.forward.is_service();
        let index = entries.iter().position(is_meant);
        let index = index.ok_or_else(|| Error::failed("no such forward"))?;
        let mut entry = entries.remove(index);
        entry.close().await;
        if entry.carried && self.uplink.is_up() {
            self.withdraw(spec).await;
        }
        self.log.write(&format!("removed: {spec}"));
        self.record(&entries);
        Ok(())
    }

    /// Returns ssh's reason why connections of `spec` fail now; `None` if the server connects to its
    /// target.
    pub async fn why_not(&self, spec: &ForwardSpec) -> Option<String> {
        if self.uplink.limit.is_crowded() {
            return Some(control::TOO_MANY_CONNECTIONS.to_owned());
        }
        self.contact().permission.why_not(spec.target()?).await
    }

    /// Waits for the link, which an on-demand tunnel starts for it. The link is wanted until the returned value is
    /// dropped. Fails with the reason why there will be none.
    pub async fn open_link(&self) -> Result<Waiting> {
        let mut uplink = self.uplink.clone();
        let insisting = uplink.demand.insist();
        let up = tokio::select! {
            biased;
            up = uplink.link.wait_for(Option::is_some) => up.is_ok(),
            () = self.uplink.demand.refusal() => false,
        };
        if up {
            return Ok(insisting);
        }
        let state = self.state_file.get();
        let message = state.last_error.unwrap_or_else(|| "the tunnel is stopping".to_owned());
        Err(Error::Failed { message: printable(&message).into_owned(), hints: state.hints })
    }

    /// Removes the Unix sockets.
    pub async fn close(&self) {
        for entry in self.entries.lock().await.iter_mut() {
            entry.close().await;
        }
    }

    fn check(spec: &ForwardSpec, entries: &[Entry], is_on_demand: bool) -> Result<()> {
        if spec.kind() == Kind::Remote && is_on_demand {
            return Err(Error::failed("an on-demand tunnel cannot have remote forwards")
                .with_hint("restart it to stay up: soong tunnel restart --on-demand=off"));
        }
        if entries.iter().filter(|entry| !entry.forward.is_service()).count() >= FORWARDS_MAX {
            return Err(Error::failed(format!("a tunnel can have at most {FORWARDS_MAX} forwards")));
        }
        if entries.iter().any(|entry| entry.forward.spec == *spec) {
            return Err(Error::failed("this forward already exists"));
        }
        if let Some(other) = entries.iter().find(|entry| entry.forward.spec.collides_with(spec)) {
            let error = format!("{} is used by: {}", spec.listen(), other.forward);
            return Err(Error::failed(printable(&error)).with_hint("remove that one first"));
        }
        Ok(())
    }

    /// Begins to accept connections for `forward`.
    fn entry(&self, forward: Forward, endpoint: Option<Endpoint>) -> Result<Entry> {
        let at_fault = |source| Error::cannot("serve a forward", source);
        let socket = self.directory.forward_socket(&forward.spec.listen());
        let (mut listeners, mut file) = (Vec::new(), None);
        let (mut uplink, control) = (self.uplink.clone(), &self.control);
        if endpoint.is_some() {
            uplink.counters = self.metrics.counters(forward.spec.listen());
            uplink.limit = uplink.limit.for_listener();
        }
        match (endpoint, &forward.spec) {
            (Some(Endpoint::Port(bound)), ForwardSpec::Socks(_)) => {
                for listener in bound {
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(at_fault)?;
                    listeners.push(tokio::spawn(socks::serve(listener, control.clone(), uplink.clone())));
                }
            }
            (Some(Endpoint::Port(bound)), _) => {
                for listener in bound {
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(at_fault)?;
                    listeners.push(tokio::spawn(serve::serve(listener, socket.clone(), uplink.clone())));
                }
            }
            (Some(Endpoint::Socket(listener, created)), _) => {
                let listener = tokio::net::UnixListener::from_std(listener).map_err(at_fault)?;
                listeners.push(tokio::spawn(serve::serve(listener, socket, uplink)));
                file = Some(created);
            }
            (None, _) => {}
        }
        Ok(Entry { forward, carried: false, listeners, file })
    }

    /// Requests `spec` from ssh.
    async fn open(&self, spec: &ForwardSpec) -> std::result::Result<(), Refusal> {
        let contact = self.contact();
        match contact.request(spec) {
            Some(request) => mux::open(&contact.control, &request).await,
            None => Ok(()),
        }
    }

    /// Requests `spec` from ssh now; returns false if the link has just gone, as the next one requests
    /// it.
    async fn open_now(&self, spec: &ForwardSpec) -> std::result::Result<bool, Failure> {
        match (self.open(spec).await, spec) {
            (Ok(()), ForwardSpec::Local(_, target)) => {
                let forbidden = self.contact().permission.forbidden(std::slice::from_ref(target)).await;
                match forwards::forbidden(&forbidden) {
                    None => Ok(true),
                    Some(failure) => {
                        self.withdraw(spec).await;
                        Err(failure)
                    }
                }
            }
            (Ok(()), _) => Ok(true),
            (Err(Refusal::Refused(reason)), ForwardSpec::Remote(listen, _)) => {
                Err(forwards::listen_refused(listen, &reason))
            }
            (Err(Refusal::Refused(reason)), _) => {
                Err(Failure { kind: failure::Kind::ForwardRefused, reason: reason_of(&reason) })
            }
            (Err(Refusal::Silent(_)), _) => Ok(false),
        }
    }

    /// Cancels `spec`. An ssh that does not answer is about to be replaced.
    async fn withdraw(&self, spec: &ForwardSpec) {
        let contact = self.contact();
        let Some(request) = contact.request(spec) else { return };
        if let Err(refusal) = mux::close(&contact.control, &request).await {
            self.log.write(&format!("{spec}: {refusal}"));
        }
        if let ForwardSpec::Local(Listen::Socket(socket), _) = request {
            let _ = std::fs::remove_file(socket);
        }
    }

    fn contact(&self) -> Arc<Contact> {
        Arc::clone(&self.contact.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Publishes the table.
    fn record(&self, entries: &[Entry]) {
        let forwards = entries.iter().map(|entry| entry.forward.clone()).collect();
        if let Err(error) = self.state_file.update(|state| state.forwards = forwards) {
            self.log.write(&error.to_string());
        }
    }
}

impl Entry {
    /// Accepts no more connections; returns when the listening end is free.
    async fn close(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.abort();
            let _ = listener.await;
        }
        if let Some(file) = self.file.take() {
            file.remove();
        }
    }
}

/// Returns ssh's message as a reason.
fn reason_of(reason: &str) -> String {
    let reason = reason.trim().trim_end_matches('.');
    printable(if reason.is_empty() { "ssh refused" } else { reason }).into_owned()
}
