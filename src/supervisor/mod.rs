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

pub(crate) mod askpass;
pub(crate) mod backoff;
pub(crate) mod connect;
pub(crate) mod control_server;
pub(crate) mod daemon_poll;
pub(crate) mod hooks;
pub(crate) mod link;
pub(crate) mod monitor;
pub mod program;
pub(crate) mod prompt_broker;
pub(crate) mod protocol;
pub(crate) mod provider_watch;
pub(crate) mod publish;
pub(crate) mod relay;
pub(crate) mod relocate;
pub(crate) mod setup;
pub(crate) mod signals;
pub(crate) mod starter;
pub(crate) mod system_events;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use self::askpass::helper::Askpass;
use self::hooks::Hooks;
use self::link::liveness::Pulse;
use self::link::mux::Control;
use self::link::permission::Permission;
use self::link::probe::Probe;
use self::link::tcp_probe::Port;
use self::prompt_broker::Questions;
use self::protocol::event::Event;
use self::protocol::exec::Order;
use self::protocol::hook_event::Occasion;
use self::protocol::location::News;
use self::protocol::progress::Style;
use self::protocol::request::Request;
use self::provider_watch::Inquirer;
use self::relay::forward_table::Switchboard;
use self::relay::metrics::Traffic;
use self::starter::Audience;
use self::system_events::Watch;
use crate::error::{Error, Result};
use crate::openssh::failure::{Failure, Kind};
use crate::runtime::directory::{Directory, Lock};
use crate::runtime::log::Log;
use crate::runtime::state::{Phase, State};
use crate::system::paths::Paths;
use crate::system::time::now;

/// Runs the tunnel of `request` to its end and tells `audience` how it goes. Returns when the
/// tunnel was stopped, or with the reason why it could not be had or kept.
pub fn run(request: Request, paths: &Paths, audience: Audience) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::Io { action: "cannot start the supervisor".into(), source: error, hint: None }
    })?;
    let told = audience.clone();
    let wanted = request.clone();
    let result = runtime.block_on(async {
        let mut supervisor = Supervisor::prepare(request, paths, audience).await?;
        let result = supervisor.supervise().await;
        supervisor.switchboard.close().await;
        supervisor.finish(result.is_err());
        // The kernel lets go of the lock with the process; earlier, somebody could believe this one gone.
        std::mem::forget(supervisor.lock);
        result
    });
    // A name that is being looked up for nobody any more must not keep the process.
    runtime.shutdown_background();
    let result = match result {
        Ok(Finish::Stopped) => Ok(()),
        Ok(Finish::Homeless) => begin_again(wanted),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        told.tell(&Event::from(error));
    }
    told.finish();
    result
}

/// Becomes a supervisor of the same tunnel whose runtime directory is below the home directory. Returns
/// only when that did not work.
fn begin_again(request: Request) -> Result<()> {
    let paths = Paths::from_env()?;
    paths.ensure_runtime()?;
    let colour = crate::terminal::chosen_colour();
    Order { request, style: Style::Quiet, command: String::new(), colour }.carry_out(&paths)
}

/// How a tunnel ended that did not fail.
enum Finish {
    /// It was stopped.
    Stopped,
    /// Its runtime directory went with the login of its user. It can go on in another.
    Homeless,
}

/// How a link, or the wait for one, ended.
enum End {
    /// The tunnel is to stop.
    Stop,
    /// ssh failed.
    Failed(Failure),
    /// There is news of the instance.
    News(News),
    /// The server answers others, and not the ssh that has been waiting for it.
    Answered,
}

struct Supervisor<'a> {
    request: Request,
    paths: &'a Paths,
    directory: Directory,
    /// The present ssh, and whether its server allows what the forwards need.
    control: Control,
    permission: Arc<Permission>,
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

impl Supervisor<'_> {
    /// Has one link after another until told to stop.
    async fn supervise(&mut self) -> Result<Finish> {
        self.audience.tell(&Event::Connecting);
        let mut failures = 0;
        let mut was_up = false;
        let mut away_since = Instant::now();
        loop {
            let begun = Instant::now();
            let mut spent = Duration::ZERO;
            let end = match self.connect(was_up.then(|| away_since.elapsed())).await {
                Ok(link) => {
                    self.rise();
                    was_up = true;
                    let since = Instant::now();
                    let end = self.watch(link).await;
                    failures = backoff::after_link(failures, since.elapsed());
                    away_since = Instant::now();
                    end
                }
                Err(end) => {
                    spent = begun.elapsed();
                    end
                }
            };
            let failure = match end {
                End::Stop => {
                    self.stopped(was_up);
                    return Ok(Finish::Stopped);
                }
                End::News(news) => {
                    self.heed(news)?;
                    continue;
                }
                End::Answered => {
                    self.log.write("the server answers again");
                    continue;
                }
                End::Failed(failure) => failure,
            };
            if was_up && failure.kind == Kind::Displaced && self.paths.is_runtime_gone() {
                self.log.write(&format!("{}: the tunnel moves below the home directory", failure.reason));
                self.fire(Occasion::Down, &failure.reason);
                return Ok(Finish::Homeless);
            }
            if !was_up || failure.kind.is_permanent() {
                return Err(self.give_up(&failure, was_up));
            }
            let port = self.knocked_at(&failure, failures, away_since.elapsed()).await;
            let kind = if port.is_some() { Kind::Other } else { failure.kind };
            let delay = backoff::delay(failures, kind, away_since.elapsed(), fastrand::f64());
            let delay = delay.saturating_sub(spent);
            match self.wait_for_retry(&failure, failures, delay, port).await {
                Ok(count) => failures = count,
                Err(End::News(news)) => self.heed(news)?,
                Err(_) => {
                    self.log.write("stopped");
                    return Ok(Finish::Stopped);
                }
            }
        }
    }

    /// The port to knock at after `failure`, while the server may be about to return.
    async fn knocked_at(&mut self, failure: &Failure, failures: u32, away: Duration) -> Option<Port> {
        if failures == 0 || away >= backoff::RESTART || !failure.is_of_connecting() {
            return None;
        }
        tokio::select! {
            () = told(&mut self.stop) => None,
            port = Port::find(&self.request.login) => port,
        }
    }

    /// Waits for `delay`, or until `port` is open, until the next attempt is due; returns how many failures in a row there have been when
    /// it begins, or what ends the wait early.
    async fn wait_for_retry(
        &mut self,
        failure: &Failure,
        failures: u32,
        delay: Duration,
        port: Option<Port>,
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
            () = opened(port) => Ok(failures.saturating_add(1)),
            // What was out of reach may be within it now.
            _ = self.disturbances.next() => Ok(0),
        }
    }
}

/// Resolves once `port` is open, if there is one to knock at.
async fn opened(port: Option<Port>) {
    match port {
        Some(port) => port.opened().await,
        None => std::future::pending().await,
    }
}

/// Resolves once the tunnel is to stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could say so.
        std::future::pending::<()>().await;
    }
}
