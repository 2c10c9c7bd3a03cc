//! The forwards beyond the services, of a tunnel that runs: what listens for them here, what the
//! present ssh carries of them, and how they come and go without hurting what is under way.
//!
//! Local forwards and proxies are held as services are: the supervisor listens, and connections
//! wait for the link. Remote ones are ssh's. For the first link
//! a refusal ends the start. For a later one it is asked again and again, because a server may not
//! have noticed yet that the old link is dead, and that must not keep the services away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::metrics::Metrics;
use super::serve;
use super::socks;
use super::unix_socket::{self, Door};
use super::uplink::Uplink;
use crate::config::forwarding::{FORWARDINGS_MAX, Forwarding, Listen};
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

/// How long to wait before a forward is asked for again that was refused.
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
    lines: Mutex<Vec<Line>>,
    changed: Notify,
}

#[derive(Debug)]
struct Line {
    extra: Extra,
    /// Whether the present ssh has it.
    carried: bool,
    /// Those who accept connections for it.
    listeners: Vec<JoinHandle<()>>,
    /// The socket that they listen on.
    file: Option<unix_socket::SocketFile>,
}

impl ForwardTable {
    /// A forward_table without a forward.
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
            lines: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Serves `doors`, which are those of `extras`.
    pub async fn begin(&self, extras: &[Extra], doors: Vec<Option<Door>>) -> Result<()> {
        let mut lines = self.lines.lock().await;
        for (extra, door) in extras.iter().zip(doors) {
            lines.push(self.line(extra.clone(), door)?);
        }
        extra::write(&self.directory, extras)
    }

    /// Returns what an ssh that is started now is to carry before the link counts as up: everything
    /// if it is the `first`, else without the remote ones. A later link is up without those.
    pub async fn wanted(&self, first: bool) -> Vec<(Forwarding, Forward)> {
        let mut lines = self.lines.lock().await;
        let mut wanted = Vec::new();
        for line in lines.iter_mut() {
            let forwarding = &line.extra.forwarding;
            let forward = self.request(forwarding);
            line.carried = forward.is_none();
            wanted.extend(
                forward
                    .filter(|forward| first || forward.side == Side::Local)
                    .map(|forward| (forwarding.clone(), forward)),
            );
        }
        wanted
    }

    /// Notes that the present ssh carries these.
    pub async fn carry(&self, forwardings: &[Forwarding]) {
        for line in self.lines.lock().await.iter_mut() {
            line.carried |= forwardings.contains(&line.extra.forwarding);
        }
    }

    /// Has the ssh that is up carry what it does not carry yet, for ever. To be dropped when that
    /// ssh ends.
    pub async fn settle(&self) {
        loop {
            let mut all = true;
            let mut lines = self.lines.lock().await;
            for line in lines.iter_mut().filter(|line| !line.carried) {
                let outcome = self.ask(&line.extra.forwarding).await;
                line.carried = outcome.is_ok();
                all &= line.carried;
                let error = outcome.err().map(|refusal| told(&refusal.to_string()));
                if let (Some(error), true) = (&error, error != line.extra.error) {
                    self.log.write(&format!("{}: {error}", line.extra.forwarding));
                }
                line.extra.error = error;
            }
            self.record(&lines);
            drop(lines);
            if all {
                self.changed.notified().await;
            } else {
                sleep(RETRY).await;
            }
        }
    }

    /// Adds a forward. Fails when it cannot be had now; while there is no link, that is found out
    /// later.
    pub async fn add(&self, forwarding: Forwarding) -> Result<()> {
        let mut lines = self.lines.lock().await;
        Self::check(&forwarding, &lines)?;
        let door =
            unix_socket::open(&forwarding).map_err(|error| unix_socket::refused(&forwarding, &error))?;
        let mut line = self.line(Extra::new(forwarding, Origin::Command), door)?;
        if self.uplink.is_up() {
            match self.ask_once(&line.extra.forwarding).await {
                Ok(carried) => line.carried = carried,
                Err(failure) => {
                    line.close().await;
                    let hints = failure::forward_hints(failure.kind);
                    return Err(Error::Failed { message: failure.reason, hints });
                }
            }
        }
        self.log.write(&format!("added: {}", line.extra.forwarding));
        lines.push(line);
        self.record(&lines);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes a forward away; its connections stay.
    pub async fn remove(&self, forwarding: &Forwarding) -> Result<()> {
        let mut lines = self.lines.lock().await;
        let index = lines.iter().position(|line| line.extra.forwarding == *forwarding);
        let index = index.ok_or_else(|| Error::failed("no such forward"))?;
        let mut line = lines.remove(index);
        line.close().await;
        if line.carried && self.uplink.is_up() {
            self.withdraw(forwarding).await;
        }
        self.log.write(&format!("removed: {forwarding}"));
        self.record(&lines);
        Ok(())
    }

    /// Returns why connections of `forwarding` get nowhere now: ssh's words, if the server does not connect to
    /// its target.
    pub async fn why_not(&self, forwarding: &Forwarding) -> Option<String> {
        if self.uplink.room.is_crowded() {
            return Some(control::NO_ROOM.to_owned());
        }
        self.permission.why_not(forwarding.target()?).await
    }

    /// Removes the sockets that were listened on.
    pub async fn close(&self) {
        for line in self.lines.lock().await.iter_mut() {
            line.close().await;
        }
    }

    fn check(forwarding: &Forwarding, lines: &[Line]) -> Result<()> {
        if lines.len() >= FORWARDINGS_MAX {
            return Err(Error::failed(format!("a tunnel can have at most {FORWARDINGS_MAX} forwards")));
        }
        if lines.iter().any(|line| line.extra.forwarding == *forwarding) {
            return Err(Error::failed("this forward already exists"));
        }
        if let Some(other) = lines.iter().find(|line| line.extra.forwarding.collides_with(forwarding)) {
            let other = printable(&other.extra.forwarding.to_string()).into_owned();
            return Err(Error::failed(format!("{} is used by: {other}", forwarding.listen()))
                .with_hint("remove that one first"));
        }
        Ok(())
    }

    /// Starts to accept connections for `extra`.
    fn line(&self, extra: Extra, door: Option<Door>) -> Result<Line> {
        let at_fault = |source| Error::cannot("serve a forward", source);
        let (mut listeners, mut file) = (Vec::new(), None);
        let (mut uplink, control) = (self.uplink.clone(), &self.control);
        if door.is_some() {
            uplink.counters = self.metrics.counters(extra.forwarding.listen());
            uplink.room = uplink.room.for_listener();
        }
        match (door, &extra.forwarding) {
            (Some(Door::Port(bound)), Forwarding::Socks(_)) => {
                for listener in bound {
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(at_fault)?;
                    listeners.push(tokio::spawn(socks::serve(listener, control.clone(), uplink.clone())));
                }
            }
            (Some(Door::Port(bound)), forwarding) => {
                for listener in bound {
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(at_fault)?;
                    let socket = self.directory.extra_socket(&forwarding.listen());
                    listeners.push(tokio::spawn(serve::serve(listener, socket, uplink.clone())));
                }
            }
            (Some(Door::Socket(listener, created)), forwarding) => {
                let listener = tokio::net::UnixListener::from_std(listener).map_err(at_fault)?;
                let socket = self.directory.extra_socket(&forwarding.listen());
                listeners.push(tokio::spawn(serve::serve(listener, socket, uplink)));
                file = Some(created);
            }
            (None, _) => {}
        }
        Ok(Line { extra, carried: false, listeners, file })
    }

    /// Has ssh carry `forwarding`.
    async fn ask(&self, forwarding: &Forwarding) -> std::result::Result<(), Refusal> {
        match self.request(forwarding) {
            Some(forward) => mux::open(&self.control, &forward).await,
            None => Ok(()),
        }
    }

    /// Has ssh carry `forwarding` now; `false` if the link has just gone, and the next one is asked.
    async fn ask_once(&self, forwarding: &Forwarding) -> std::result::Result<bool, Failure> {
        match (self.ask(forwarding).await, forwarding) {
            (Ok(()), Forwarding::Local(_, target)) => {
                match forwards::forbidden(&self.permission.forbidden(std::slice::from_ref(target)).await) {
                    None => Ok(true),
                    Some(failure) => {
                        self.withdraw(forwarding).await;
                        Err(failure)
                    }
                }
            }
            (Ok(()), _) => Ok(true),
            (Err(Refusal::Refused(reason)), Forwarding::Remote(listen, _)) => {
                Err(forwards::listen_refused(listen, &reason))
            }
            (Err(Refusal::Refused(reason)), _) => {
                Err(Failure { kind: failure::Kind::ForwardRefused, reason: told(&reason) })
            }
            (Err(Refusal::Silent(_)), _) => Ok(false),
        }
    }

    /// Has ssh carry `forwarding` no more. One that does not answer is about to be replaced.
    async fn withdraw(&self, forwarding: &Forwarding) {
        let Some(forward) = self.request(forwarding) else { return };
        if let Err(refusal) = mux::close(&self.control, &forward).await {
            self.log.write(&format!("{forwarding}: {refusal}"));
        }
        if let (Side::Local, Listen::Socket(socket)) = (forward.side, forward.listen) {
            let _ = std::fs::remove_file(socket);
        }
    }

    /// What ssh has to do for `forwarding`: nothing for a proxy, which asks when it needs something.
    fn request(&self, forwarding: &Forwarding) -> Option<Forward> {
        match forwarding {
            Forwarding::Local(listen, target) => {
                let listen = Listen::Socket(self.directory.extra_socket(listen));
                Some(Forward { side: Side::Local, listen, target: target.clone() })
            }
            Forwarding::Remote(listen, target) => {
                Some(Forward { side: Side::Remote, listen: listen.clone(), target: target.clone() })
            }
            Forwarding::Socks(_) => None,
        }
    }

    /// Writes down what there is, for everyone who asks.
    fn record(&self, lines: &[Line]) {
        let extras: Vec<Extra> = lines.iter().map(|line| line.extra.clone()).collect();
        if extra::read(&self.directory) != extras
            && let Err(error) = extra::write(&self.directory, &extras)
        {
            self.log.write(&error.to_string());
        }
    }
}

impl Line {
    /// Accepts no more connections, and returns when what was listened on is free.
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

/// What ssh says, as a reason.
fn told(reason: &str) -> String {
    let reason = reason.trim().trim_end_matches('.');
    printable(if reason.is_empty() { "ssh refused" } else { reason }).into_owned()
}
