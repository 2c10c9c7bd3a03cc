//! Table of a running tunnel's forwards besides the services: their listeners, whether the present ssh
//! carries them, and changes that leave open connections alone.
//!
//! Local forwards and proxies work like services: the supervisor listens, and connections wait for the link.
//! The server listens for remote ones. For the first link, a refusal fails the start. For later ones, refused
//! forwards are requested again and again: the server may not have noticed that the old link is dead, which
//! must not delay the services.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::metrics::Metrics;
use super::serve;
use super::socks;
use super::unix_socket::{self, Endpoint};
use super::uplink::Uplink;
use crate::config::forwarding::{FORWARDS_MAX, ForwardSpec, Listen};
use crate::error::{Error, Result};
use crate::openssh::failure::{self, Failure};
use crate::runtime::control;
use crate::runtime::directory::Directory;
use crate::runtime::extra::{self, Extra, Origin};
use crate::runtime::log::Log;
use crate::supervisor::link::forwards;
use crate::supervisor::link::mux::{self, Control, Forward, Refusal, Side};
use crate::supervisor::link::permission::Permission;
use crate::terminal::printable;

/// Pause before a refused forward is requested again.
const RETRY: Duration = Duration::from_secs(3);

/// The forwards of one tunnel.
#[derive(Debug)]
pub struct ForwardTable {
    directory: Directory,
    control: Control,
    permission: Arc<Permission>,
    log: Arc<Log>,
    uplink: Uplink,
    metrics: Metrics,
    entries: Mutex<Vec<Entry>>,
    changed: Notify,
}

#[derive(Debug)]
struct Entry {
    extra: Extra,
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
        control: &Control,
        permission: &Arc<Permission>,
        uplink: Uplink,
        metrics: Metrics,
        log: Arc<Log>,
    ) -> Self {
        Self {
            directory: directory.clone(),
            control: control.clone(),
            permission: Arc::clone(permission),
            log,
            uplink,
            metrics,
            entries: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Serves the listening ends of `extras`.
    pub async fn begin(&self, extras: &[Extra], endpoints: Vec<Option<Endpoint>>) -> Result<()> {
        let mut entries = self.entries.lock().await;
        for (extra, endpoint) in extras.iter().zip(endpoints) {
            entries.push(self.entry(extra.clone(), endpoint)?);
        }
        extra::write(&self.directory, extras)
    }

    /// Returns the forwards that a new ssh must carry before the link counts as up: all for the `first`,
    /// later ones without the remote forwards.
    pub async fn wanted(&self, first: bool) -> Vec<(ForwardSpec, Forward)> {
        let mut entries = self.entries.lock().await;
        let mut wanted = Vec::new();
        for entry in entries.iter_mut() {
            let spec = &entry.extra.spec;
            let forward = self.request(spec);
            entry.carried = forward.is_none();
            wanted.extend(
                forward
                    .filter(|forward| first || forward.side == Side::Local)
                    .map(|forward| (spec.clone(), forward)),
            );
        }
        wanted
    }

    /// Records that the present ssh carries these.
    pub async fn carry(&self, specs: &[ForwardSpec]) {
        for entry in self.entries.lock().await.iter_mut() {
            entry.carried |= specs.contains(&entry.extra.spec);
        }
    }

    /// Requests the missing forwards from ssh until they are carried. Drop it when that ssh ends.
    pub async fn settle(&self) {
        loop {
            let mut all = true;
            let mut entries = self.entries.lock().await;
            for entry in entries.iter_mut().filter(|entry| !entry.carried) {
                let outcome = self.ask(&entry.extra.spec).await;
                entry.carried = outcome.is_ok();
                all &= entry.carried;
                let error = outcome.err().map(|refusal| told(&refusal.to_string()));
                if let (Some(error), true) = (&error, error != entry.extra.error) {
                    self.log.write(&format!("{}: {error}", entry.extra.spec));
                }
                entry.extra.error = error;
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
        Self::check(&spec, &entries)?;
        let endpoint = unix_socket::open(&spec).map_err(|error| unix_socket::refused(&spec, &error))?;
        let mut entry = self.entry(Extra::new(spec, Origin::Command), endpoint)?;
        if self.uplink.is_up() {
            match self.ask_once(&entry.extra.spec).await {
                Ok(carried) => entry.carried = carried,
                Err(failure) => {
                    entry.close().await;
                    let hints = failure::forward_hints(failure.kind);
                    return Err(Error::Failed { message: failure.reason, hints });
                }
            }
        }
        self.log.write(&format!("added: {}", entry.extra.spec));
        entries.push(entry);
        self.record(&entries);
        self.changed.notify_one();
        Ok(())
    }

    /// Removes a forward; its connections stay.
    pub async fn remove(&self, spec: &ForwardSpec) -> Result<()> {
        let mut entries = self.entries.lock().await;
        let index = entries.iter().position(|entry| entry.extra.spec == *spec);
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
        if self.uplink.room.is_crowded() {
            return Some(control::NO_ROOM.to_owned());
        }
        self.permission.why_not(spec.target()?).await
    }

    /// Removes the Unix sockets.
    pub async fn close(&self) {
        for entry in self.entries.lock().await.iter_mut() {
            entry.close().await;
        }
    }

    fn check(spec: &ForwardSpec, entries: &[Entry]) -> Result<()> {
        if entries.len() >= FORWARDS_MAX {
            return Err(Error::failed(format!("a tunnel can have at most {FORWARDS_MAX} forwards")));
        }
        if entries.iter().any(|entry| entry.extra.spec == *spec) {
            return Err(Error::failed("this forward already exists"));
        }
        if let Some(other) = entries.iter().find(|entry| entry.extra.spec.collides_with(spec)) {
            let other = printable(&other.extra.spec.to_string()).into_owned();
            return Err(Error::failed(format!("{} is used by: {other}", spec.listen()))
                .with_hint("remove that one first"));
        }
        Ok(())
    }

    /// Begins to accept connections for `extra`.
    fn entry(&self, extra: Extra, endpoint: Option<Endpoint>) -> Result<Entry> {
        let at_fault = |source| Error::cannot("serve a forward", source);
        let (mut listeners, mut file) = (Vec::new(), None);
        let (mut uplink, control) = (self.uplink.clone(), &self.control);
        if endpoint.is_some() {
            uplink.counters = self.metrics.counters(extra.spec.listen());
            uplink.room = uplink.room.for_listener();
        }
        match (endpoint, &extra.spec) {
            (Some(Endpoint::Port(bound)), ForwardSpec::Socks(_)) => {
                for listener in bound {
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(at_fault)?;
                    listeners.push(tokio::spawn(socks::serve(listener, control.clone(), uplink.clone())));
                }
            }
            (Some(Endpoint::Port(bound)), spec) => {
                for listener in bound {
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(at_fault)?;
                    let socket = self.directory.extra_socket(&spec.listen());
                    listeners.push(tokio::spawn(serve::serve(listener, socket, uplink.clone())));
                }
            }
            (Some(Endpoint::Socket(listener, created)), spec) => {
                let listener = tokio::net::UnixListener::from_std(listener).map_err(at_fault)?;
                let socket = self.directory.extra_socket(&spec.listen());
                listeners.push(tokio::spawn(serve::serve(listener, socket, uplink)));
                file = Some(created);
            }
            (None, _) => {}
        }
        Ok(Entry { extra, carried: false, listeners, file })
    }

    /// Requests `spec` from ssh.
    async fn ask(&self, spec: &ForwardSpec) -> std::result::Result<(), Refusal> {
        match self.request(spec) {
            Some(forward) => mux::open(&self.control, &forward).await,
            None => Ok(()),
        }
    }

    /// Requests `spec` from ssh now; returns false if the link has just gone, as the next one requests
    /// it.
    async fn ask_once(&self, spec: &ForwardSpec) -> std::result::Result<bool, Failure> {
        match (self.ask(spec).await, spec) {
            (Ok(()), ForwardSpec::Local(_, target)) => {
                match forwards::forbidden(&self.permission.forbidden(std::slice::from_ref(target)).await) {
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
                Err(Failure { kind: failure::Kind::ForwardRefused, reason: told(&reason) })
            }
            (Err(Refusal::Silent(_)), _) => Ok(false),
        }
    }

    /// Cancels `spec`. An ssh that does not answer is about to be replaced.
    async fn withdraw(&self, spec: &ForwardSpec) {
        let Some(forward) = self.request(spec) else { return };
        if let Err(refusal) = mux::close(&self.control, &forward).await {
            self.log.write(&format!("{spec}: {refusal}"));
        }
        if let (Side::Local, Listen::Socket(socket)) = (forward.side, forward.listen) {
            let _ = std::fs::remove_file(socket);
        }
    }

    /// Returns ssh's forward for `spec`: none for a proxy, which requests connections one by one.
    fn request(&self, spec: &ForwardSpec) -> Option<Forward> {
        match spec {
            ForwardSpec::Local(listen, target) => {
                let listen = Listen::Socket(self.directory.extra_socket(listen));
                Some(Forward { side: Side::Local, listen, target: target.clone() })
            }
            ForwardSpec::Remote(listen, target) => {
                Some(Forward { side: Side::Remote, listen: listen.clone(), target: target.clone() })
            }
            ForwardSpec::Socks(_) => None,
        }
    }

    /// Publishes the table.
    fn record(&self, entries: &[Entry]) {
        let extras: Vec<Extra> = entries.iter().map(|entry| entry.extra.clone()).collect();
        if extra::read(&self.directory) != extras
            && let Err(error) = extra::write(&self.directory, &extras)
        {
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
fn told(reason: &str) -> String {
    let reason = reason.trim().trim_end_matches('.');
    printable(if reason.is_empty() { "ssh refused" } else { reason }).into_owned()
}
