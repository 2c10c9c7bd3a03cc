//! The supervisor: the process that is the tunnel.
//!
//! ```text
//! take the lock ─ bind the ports ─ start ssh ─ wait until it is up ─┐
//!                                      ↑                            │ tell the starter, let
//!                                      │                            │ connections through
//!                                    wait ← hold connections ← ssh ends
//! ```
//!
//! The listeners live as long as the supervisor, the links one after another below them. It ends
//! when it is told to (a signal, a request on its socket, the starter gone before the tunnel was
//! up), when the first link cannot be had, or when a failure is one that no retry can mend.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep};

use super::askpass::Askpass;
use super::audience::Audience;
use super::capacity;
use super::channel::Event;
use super::claim;
use super::disturbance::{self, Disturbance, Watch};
use super::hooks::{Hooks, Occasion};
use super::lease::Inquiry;
use super::link::{Link, Listener};
use super::listener;
use super::log::Log;
use super::memory;
use super::probe::Probe;
use super::pulse::{Doubt, Pulse};
use super::questions::{self, Questions};
use super::relay::{self, Way};
use super::request::Request;
use super::retry;
use super::signals;
use super::switchboard::Switchboard;
use super::traffic::Traffic;
use super::whereabouts::{Inquirer, News};
use crate::daemon::{self, Facts};
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::runtime::directory::{Directory, Lock};
use crate::runtime::orphan;
use crate::runtime::pidfile;
use crate::runtime::prompt::{self, Entry};
use crate::runtime::state::{Phase, State};
use crate::ssh::failure::{self, Failure, Kind};
use crate::time::now;

mod news;

/// Runs the tunnel of `request` to its end and tells `audience` how it goes. Returns when the
/// tunnel was stopped, or with the reason why it could not be had or kept.
pub fn run(request: Request, paths: &Paths, audience: Audience) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::Io { action: "cannot start the supervisor".into(), source: error, hint: None }
    })?;
    let told = audience.clone();
    let result = runtime.block_on(async {
        let mut supervisor = Supervisor::prepare(request, paths, audience).await?;
        let result = supervisor.supervise().await;
        supervisor.switchboard.close().await;
        supervisor.finish(result.is_err());
        // The kernel lets go of the lock with the process; earlier, somebody could believe this one gone.
        std::mem::forget(supervisor.lock);
        result
    });
    if let Err(error) = &result {
        told.tell(&Event::from(error));
    }
    result
}

/// How a link, or the wait for one, ended.
enum End {
    /// The tunnel is to stop.
    Stop,
    /// ssh failed.
    Failed(Failure),
    /// There is news of the instance.
    News(News),
}

struct Supervisor<'a> {
    request: Request,
    paths: &'a Paths,
    directory: Directory,
    lock: Lock,
    log: Arc<Log>,
    audience: Audience,
    state: State,
    link_up: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
    /// Wakes the inquiry at the status daemon.
    inquirer: Arc<Notify>,
    disturbances: Watch,
    provider: Inquirer,
    hooks: Hooks,
    pulse: Arc<Pulse>,
    probe: Arc<Probe>,
    traffic: Traffic,
    questions: Arc<Questions>,
    askpass: Askpass,
    switchboard: Arc<Switchboard>,
}

impl<'a> Supervisor<'a> {
    /// Takes the lock and the ports and opens the supervisor's socket. When this fails nothing is
    /// left behind.
    async fn prepare(request: Request, paths: &'a Paths, audience: Audience) -> Result<Self> {
        let (stopper, stop) = watch::channel(false);
        signals::stop_on(&stopper, audience.is_terminal())?;
        let directory = Directory::new(paths, &request.name)?;
        directory.create()?;
        let lock = claim::lock(&directory).await?;
        orphan::end(&directory, request.program());
        directory.clear(&lock, false);
        let (link_up, link) = watch::channel(false);
        let (name, instance) = (request.name.clone(), request.login.instance.clone());
        let state = State::starting(&request.login.instance, &request.forwards);
        let log = Arc::new(Log::open(paths.log(&request.name))?);
        let pulse = Arc::new(Pulse::new(request.login.keepalive));
        let room = Arc::new(Semaphore::new(capacity::raise()));
        let way = Way { link, hold: request.hold, room, pulse: Arc::clone(&pulse), meter: Arc::default() };
        let traffic = Traffic::default();
        let mut supervisor = Self {
            switchboard: Arc::new(Switchboard::new(
                &directory,
                way.clone(),
                traffic.clone(),
                Arc::clone(&log),
            )),
            log,
            probe: Arc::new(Probe::new(&directory)),
            questions: Arc::new(Questions::new(audience.clone())),
            askpass: Askpass::new(directory.askpass_socket()).map_err(|source| Error::Io {
                action: "cannot tell ssh whom to ask".into(),
                source,
                hint: None,
            })?,
            pulse,
            request,
            paths,
            directory,
            lock,
            audience,
            state,
            link_up,
            stop,
            inquirer: Arc::default(),
            disturbances: Watch::new(),
            provider: Inquirer::new(&instance.id),
            hooks: Hooks::new(paths, &name),
            traffic,
        };
        if let Err(error) = supervisor.open(&way, stopper).await {
            supervisor.switchboard.close().await;
            supervisor.directory.clear(&supervisor.lock, false);
            return Err(error);
        }
        supervisor.tell_prompts();
        Ok(supervisor)
    }

    async fn open(&mut self, way: &Way, stopper: watch::Sender<bool>) -> Result<()> {
        let bound = listener::bind_all(&self.request, self.paths)?;
        let doors = listener::open_extras(&self.request, self.paths)?;
        self.switchboard.begin(&self.request.extras, doors).await?;
        self.request.forwards = bound.iter().map(|bound| bound.forward.clone()).collect();
        self.state.forwards.clone_from(&self.request.forwards);
        let socket = self.directory.supervisor_socket();
        let requests = UnixListener::bind(&socket).map_err(|error| Error::io("open", &socket, error))?;
        let socket = self.directory.askpass_socket();
        let asked = UnixListener::bind(&socket).map_err(|error| Error::io("open", &socket, error))?;
        tokio::spawn(questions::serve(asked, Arc::clone(&self.questions)));
        self.state.write(&self.directory)?;
        let (inquirer, switchboard) = (Arc::clone(&self.inquirer), Arc::clone(&self.switchboard));
        let serve = claim::serve(requests, stopper.clone(), inquirer, self.traffic.clone(), switchboard);
        tokio::spawn(serve);
        self.audience.listen(stopper);
        for bound in bound {
            let socket = self.directory.forward_socket(bound.forward.local);
            let meter = self.traffic.meter(bound.forward.local);
            for listener in bound.listeners {
                let listener =
                    TcpListener::from_std(listener).map_err(|error| Error::io("serve", &socket, error))?;
                let way = Way { meter: Arc::clone(&meter), ..way.clone() };
                tokio::spawn(relay::serve(listener, socket.clone(), way));
            }
        }
        Ok(())
    }

    /// Has one link after another until told to stop.
    async fn supervise(&mut self) -> Result<()> {
        self.audience.tell(&Event::Connecting);
        let mut failures = 0;
        let mut was_up = false;
        let mut away_since = Instant::now();
        loop {
            let end = match self.connect(was_up).await {
                Ok(link) => {
                    self.rise();
                    was_up = true;
                    let since = Instant::now();
                    let end = self.watch(link).await;
                    failures = retry::after_link(failures, since.elapsed());
                    away_since = Instant::now();
                    end
                }
                Err(end) => end,
            };
            let failure = match end {
                End::Stop => {
                    self.stopped(was_up);
                    return Ok(());
                }
                End::News(news) => {
                    self.heed(news)?;
                    continue;
                }
                End::Failed(failure) => failure,
            };
            if !was_up || failure.kind.is_permanent() {
                return Err(self.give_up(&failure, was_up));
            }
            let delay = retry::delay(failures, failure.kind, away_since.elapsed(), fastrand::f64());
            match self.wait_for_retry(&failure, failures, delay).await {
                Ok(count) => failures = count,
                Err(End::News(news)) => self.heed(news)?,
                Err(_) => return Ok(()),
            }
        }
    }

    /// A link that is up, or why there is none.
    ///
    /// An attempt to replace a link begins anew when the network changes under it: it may be
    /// waiting for an answer to an address that this machine no longer has. The first attempt is
    /// left alone; somebody is waiting for its outcome.
    async fn connect(&mut self, again: bool) -> std::result::Result<Link, End> {
        let control = self.directory.ssh_control();
        let limit = Duration::from_secs(self.request.login.connect_timeout);
        if let Some(failure) = self.displaced() {
            return Err(End::Failed(failure));
        }
        // ssh does not become a master on a control socket that exists, be it dead.
        let _ = std::fs::remove_file(&control);
        self.probe.reset();
        let extras = self.switchboard.hand_over().await;
        let arguments = self.request.ssh_arguments(&self.directory, &extras);
        self.questions.begin();
        let link = Link::spawn(self.request.program(), &arguments, &self.askpass, self.listener());
        let mut link = link.map_err(|error| {
            End::Failed(Failure { kind: Kind::Other, reason: format!("cannot run ssh: {error}") })
        })?;
        let end = tokio::select! {
            () = told(&mut self.stop) => Some(End::Stop),
            what = stale(&mut self.disturbances), if again => Some(End::Failed(Reason::Disturbance(what).failure())),
            news = self.provider.next(&self.request.login.instance), if again => Some(End::News(news)),
            outcome = link.up(&control) => {
                outcome.err().map(|failure| End::Failed(self.questions.explain(failure)))
            }
            () = self.questions.time_out(limit) => {
                Some(End::Failed(Failure { kind: Kind::TimedOut, reason: "timed out".into() }))
            }
            () = self.questions.refusal() => {
                let failure = Failure { kind: Kind::Other, reason: "a question went unanswered".into() };
                Some(End::Failed(self.questions.explain(failure)))
            }
        };
        self.questions.end();
        let end = match end {
            None if again => None,
            None => self.switchboard.complete().await.err().map(End::Failed),
            failed => failed,
        };
        let Some(end) = end else { return Ok(link) };
        link.end().await;
        Err(end)
    }

    /// Takes what ssh says to the log, and to a starter that listens.
    fn listener(&self) -> Listener {
        let (log, audience, probe) = (Arc::clone(&self.log), self.audience.clone(), Arc::clone(&self.probe));
        let questions = Arc::clone(&self.questions);
        Arc::new(move |line| {
            if probe.is_echo(line) {
                return;
            }
            log.write(&format!("ssh: {line}"));
            questions.said(line);
            audience.tell(&Event::Said { line: line.to_owned() });
        })
    }

    /// Lets connections through.
    fn rise(&mut self) {
        self.pulse.verified();
        self.link_up.send_replace(true);
        self.enter(Phase::Up, |state| {
            state.attempt = 0;
            state.next_retry = None;
        });
        if let Err(error) = pidfile::update(self.paths, None) {
            self.log.write(&format!("PID file: {error}"));
        }
        if let Err(error) = memory::remember(self.paths, &self.state.instance.id, &self.state.forwards) {
            self.log.write(&format!("remembered ports: {error}"));
        }
        self.audience.tell(&Event::Up { forwards: self.state.forwards.clone() });
        self.fire(Occasion::Up, "");
    }

    /// Waits for the end of the link.
    async fn watch(&mut self, mut link: Link) -> End {
        let daemon = self.request.forwards.iter().find(|forward| forward.service == daemon::SERVICE);
        let socket = daemon.map(|forward| self.directory.forward_socket(forward.local));
        let mut inquiry = Inquiry::new(self.paths, socket, Arc::clone(&self.inquirer));
        let _settling = settle(&self.switchboard);
        loop {
            tokio::select! {
                () = told(&mut self.stop) => break,
                failure = link.ended() => {
                    self.link_up.send_replace(false);
                    return End::Failed(failure);
                }
                facts = inquiry.next() => {
                    self.learn(facts);
                    self.pulse.verified();
                }
                why = reason(&mut self.disturbances, &self.pulse) => {
                    if let Some(end) = self.verify(why, &mut link).await {
                        self.link_up.send_replace(false);
                        link.kill().await;
                        return end;
                    }
                }
            }
        }
        link.end().await;
        End::Stop
    }

    /// Asks the link whether it is alive; says how it ends if it is not.
    async fn verify(&mut self, why: Reason, link: &mut Link) -> Option<End> {
        if let Some(failure) = self.displaced() {
            return Some(End::Failed(failure));
        }
        let asked = Instant::now();
        let patience = match why {
            Reason::Disturbance(_) => disturbance::PATIENCE,
            Reason::Doubt(_) => self.pulse.patience(),
        };
        let needless = matches!(why, Reason::Doubt(Doubt::Renewal)) && self.pulse.is_felt();
        let answers = needless
            || tokio::select! {
                () = told(&mut self.stop) => return Some(End::Stop),
                failure = link.ended() => return Some(End::Failed(failure)),
                answers = self.probe.is_alive(patience) => answers,
            };
        let alive = answers || self.pulse.heard_since(asked);
        if alive {
            self.pulse.verified();
            self.tell_prompts();
        }
        if !alive || matches!(why, Reason::Disturbance(_)) {
            self.log.write(&format!("{why}: the link is {}", if alive { "alive" } else { "dead" }));
        }
        (!alive).then(|| End::Failed(why.failure()))
    }

    /// The failure of a tunnel whose files somebody has deleted: nobody could find or stop it any
    /// more, and another one could be started beside it.
    fn displaced(&self) -> Option<Failure> {
        let reason = || {
            format!(
                "{} was deleted",
                self.directory.ssh_control().parent().map_or("".into(), |path| path.to_string_lossy())
            )
        };
        (!self.directory.is_held_by(&self.lock)).then(|| Failure { kind: Kind::Displaced, reason: reason() })
    }

    /// Keeps what the status daemon says where others find it.
    fn learn(&mut self, facts: Facts) {
        self.state.daemon = Some(facts);
        if let Err(error) = self.state.write(&self.directory) {
            self.log.write(&error.to_string());
        }
        self.tell_prompts();
    }

    /// Waits for `delay`, until the next attempt is due; returns how many failures in a row there have been when
    /// it begins, or what ends the wait early.
    async fn wait_for_retry(
        &mut self,
        failure: &Failure,
        failures: u32,
        delay: Duration,
    ) -> std::result::Result<u32, End> {
        self.enter(Phase::Reconnecting, |state| {
            state.attempt = failures + 1;
            state.next_retry = Some(now() + delay.as_secs());
            state.last_error = Some(failure.reason.clone());
        });
        let retry_in = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.audience.tell(&Event::Lost { reason: failure.reason.clone(), retry_in });
        self.fire(Occasion::Down, &failure.reason);
        self.provider.worry(failures);
        tokio::select! {
            () = told(&mut self.stop) => Err(End::Stop),
            news = self.provider.next(&self.request.login.instance) => Err(End::News(news)),
            () = sleep(delay) => Ok(failures.saturating_add(1)),
            // What was out of reach may be within it now.
            _ = self.disturbances.next() => Ok(0),
        }
    }

    /// The error that ends a tunnel that cannot be had or kept.
    fn give_up(&mut self, failure: &Failure, was_up: bool) -> Error {
        let hints = failure::hints(failure.kind, &self.request.login);
        if was_up {
            self.enter(Phase::Failed, |state| {
                state.next_retry = None;
                state.last_error = Some(failure.reason.clone());
                state.hints.clone_from(&hints);
            });
        }
        self.log.write(&format!("failed: {}", failure.reason));
        self.fire(Occasion::Failed, &failure.reason);
        if failure.kind == Kind::TimedOut {
            return Error::TimedOut { hints: failure::timeout_hints(&self.request.login) };
        }
        Error::Start { reason: failure.reason.clone(), hints }
    }

    fn stopped(&mut self, was_up: bool) {
        self.log.write("stopped");
        self.fire(Occasion::Down, "the tunnel was stopped");
        if !was_up {
            self.audience.tell(&Event::Stopped);
        }
    }

    /// Enters a phase and tells everyone who reads files. A tunnel does not end because a disk is
    /// full.
    fn enter(&mut self, phase: Phase, change: impl FnOnce(&mut State)) {
        self.state.phase = phase;
        self.state.since = now();
        change(&mut self.state);
        self.log.write(&describe(&self.state));
        if !self.directory.is_held_by(&self.lock) {
            // What is there now is not ours to describe.
            return;
        }
        if let Err(error) = self.state.write(&self.directory) {
            self.log.write(&error.to_string());
        }
        self.tell_prompts();
    }

    /// Tells prompts what the tunnel is doing, and promises that it goes on for a while.
    fn tell_prompts(&self) {
        if let Err(error) = prompt::publish(self.paths, &Entry::new(&self.request.name, &self.state)) {
            self.log.write(&error.to_string());
        }
    }

    /// Leaves the directory as the next tunnel expects it. The state stays when it says why a
    /// tunnel that was up failed.
    fn finish(&self, failed: bool) {
        let tells_why = failed && self.state.phase == Phase::Failed;
        // Its writers need a lock there, and somebody may have deleted it all.
        let _ = self.paths.ensure_runtime();
        if let Err(error) = pidfile::update(self.paths, Some(&self.directory)) {
            self.log.write(&format!("PID file: {error}"));
        }
        if !tells_why && let Err(error) = prompt::withdraw(self.paths, &self.request.name) {
            self.log.write(&error.to_string());
        }
        self.directory.clear(&self.lock, tells_why);
    }
}

fn describe(state: &State) -> String {
    match state.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Up => format!("up: {}", state.instance.host),
        Phase::Reconnecting | Phase::Failed => {
            let phase = if state.phase == Phase::Failed { "failed" } else { "link lost" };
            format!("{phase}: {}", state.last_error.as_deref().unwrap_or("no reason given"))
        }
    }
}

/// Why a link is asked whether it is alive.
#[derive(Debug, Clone, Copy)]
enum Reason {
    Disturbance(Disturbance),
    Doubt(Doubt),
}

impl Reason {
    /// The failure of a link that did not answer.
    fn failure(self) -> Failure {
        let reason = match self {
            Self::Disturbance(what) => format!("{what}, and the link did not survive it"),
            Self::Doubt(_) => "nothing comes back over the link any more".to_owned(),
        };
        Failure { kind: Kind::Lost, reason }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disturbance(what) => what.fmt(f),
            Self::Doubt(Doubt::NoAnswer) => f.write_str("a request has had no answer"),
            Self::Doubt(Doubt::Renewal) => f.write_str("it was time to ask"),
        }
    }
}

/// The next reason to ask a link that is up.
async fn reason(disturbances: &mut Watch, pulse: &Pulse) -> Reason {
    tokio::select! {
        what = disturbances.next() => Reason::Disturbance(what),
        doubt = pulse.doubt() => Reason::Doubt(doubt),
    }
}

/// Has the link carry what was wanted while there was none, until what is returned is dropped.
fn settle(switchboard: &Arc<Switchboard>) -> AbortOnDrop {
    let switchboard = Arc::clone(switchboard);
    AbortOnDrop(tokio::spawn(async move { switchboard.settle().await }))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Resolves at a disturbance of an attempt that has had time to succeed.
async fn stale(disturbances: &mut Watch) -> Disturbance {
    const TIME_TO_SUCCEED: Duration = Duration::from_secs(2);
    sleep(TIME_TO_SUCCEED).await;
    disturbances.next().await
}

/// Resolves once the tunnel is to stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could say so.
        std::future::pending::<()>().await;
    }
}
