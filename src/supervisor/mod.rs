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
use self::backoff::Backoff;
use self::hooks::Hooks;
use self::link::liveness::Liveness;
use self::link::mux::Control;
use self::link::permission::Permission;
use self::link::probe::Probe;
use self::link::tcp_probe::Port;
use self::prompt_broker::PromptBroker;
use self::protocol::event::Event;
use self::protocol::exec::ForegroundLaunch;
use self::protocol::hook_event::Occasion;
use self::protocol::location::Relocation;
use self::protocol::progress::Style;
use self::protocol::request::Request;
use self::provider_watch::ProviderWatch;
use self::relay::forward_table::ForwardTable;
use self::relay::metrics::Metrics;
use self::starter::Starter;
use self::system_events::Watch;
use crate::error::{Error, Result};
use crate::openssh::failure::{Failure, Kind};
use crate::runtime::directory::{Directory, Lock};
use crate::runtime::log::Log;
use crate::runtime::state::{Phase, State};
use crate::system::paths::Paths;
use crate::system::time;

/// Runs the tunnel of `request` to its end and tells `starter` how it goes. Returns when the
/// tunnel was stopped, or with the reason why it could not be had or kept.
pub fn run(request: Request, paths: &Paths, starter: Starter) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::Io { action: "cannot start the supervisor".into(), source: error, hint: None }
    })?;
    let told = starter.clone();
    let wanted = request.clone();
    let result = runtime.block_on(async {
        let mut supervisor = Supervisor::prepare(request, paths, starter).await?;
        let result = supervisor.supervise().await;
        supervisor.forward_table.close().await;
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
    ForegroundLaunch { request, style: Style::Quiet, command: String::new(), colour }.exec(&paths)
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
    Relocation(Relocation),
    /// The server answers others, and not the ssh that has been waiting for it.
    Answered,
    /// ssh waits at an address that is silent, while another one answers; the option brings it there.
    Detour(String),
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
    starter: Starter,
    state: State,
    link_up: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
    /// Wakes the poll at the status daemon.
    daemon_wake: Arc<Notify>,
    system_events: Watch,
    backoff: Backoff,
    provider: ProviderWatch,
    hooks: Hooks,
    liveness: Arc<Liveness>,
    probe: Arc<Probe>,
    metrics: Metrics,
    prompts: Arc<PromptBroker>,
    askpass: Askpass,
    forward_table: Arc<ForwardTable>,
}

impl Supervisor<'_> {
    /// Has one link after another until told to stop.
    async fn supervise(&mut self) -> Result<Finish> {
        self.starter.tell(&Event::Connecting);
        let mut was_up = false;
        let mut away_since = Instant::now();
        loop {
            let begun = Instant::now();
            let mut took = Duration::ZERO;
            self.backoff.begin(begun);
            let end = match self.connect(was_up.then(|| away_since.elapsed())).await {
                Ok(link) => {
                    self.backoff.succeed();
                    self.rise();
                    was_up = true;
                    let since = Instant::now();
                    let end = self.watch(link).await;
                    away_since = Instant::now();
                    self.backoff.lose(since.elapsed(), away_since);
                    end
                }
                Err(end) => {
                    took = begun.elapsed();
                    if let End::Failed(failure) = &end {
                        self.backoff.fail(failure.kind);
                        self.request.login.detour = None;
                    }
                    end
                }
            };
            let failure = match end {
                End::Stop => {
                    self.stopped(was_up);
                    return Ok(Finish::Stopped);
                }
                End::Relocation(news) => {
                    self.heed(news)?;
                    continue;
                }
                End::Answered => {
                    self.log.write("the server answers again");
                    continue;
                }
                End::Detour(option) => {
                    self.log.write(&format!("the first address is silent; using another one: {option}"));
                    self.request.login.detour = Some(option);
                    continue;
                }
                End::Failed(failure) => failure,
            };
            if was_up && failure.kind == Kind::Displaced && self.paths.is_runtime_gone() {
                self.log.write(&format!(
                    "{}; moving the tunnel's files below the home directory",
                    failure.reason
                ));
                self.fire(Occasion::Down, &failure.reason);
                return Ok(Finish::Homeless);
            }
            if !was_up || self.backoff.gives_up(failure.kind) {
                return Err(self.give_up(&failure, was_up));
            }
            match self.wait_for_retry(&failure, took).await {
                Ok(()) => {}
                Err(End::Relocation(news)) => self.heed(news)?,
                Err(_) => {
                    self.log.write("stopped");
                    return Ok(Finish::Stopped);
                }
            }
        }
    }

    /// Waits until the next attempt is due after one that failed and took `took`; returns what ends the
    /// wait early.
    async fn wait_for_retry(&mut self, failure: &Failure, took: Duration) -> std::result::Result<(), End> {
        let port = self.port_to_probe(failure).await;
        let now = Instant::now();
        let pause = match &port {
            Some(_) => self.backoff.port_probe(0, now).pause,
            None => self.backoff.pause(failure.kind, took, fastrand::f64(), now),
        };
        let failures = self.backoff.failures();
        self.enter(Phase::Reconnecting, |state| {
            state.attempt = failures + 1;
            state.next_retry = Some(time::now() + pause.as_secs());
            state.last_error = Some(failure.reason.clone());
        });
        let retry_in = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.starter.tell(&Event::Lost { reason: failure.reason.clone(), retry_in });
        self.fire(Occasion::Down, &failure.reason);
        self.provider.poll_after(failures);
        let due = async {
            match &port {
                Some(port) => port.wait_until_answered(&mut self.backoff).await,
                None => sleep(pause).await,
            }
        };
        tokio::select! {
            () = told(&mut self.stop) => return Err(End::Stop),
            news = self.provider.next(&self.request.login.instance) => return Err(End::Relocation(news)),
            () = due => self.backoff.retry(),
            _ = self.system_events.next() => self.backoff.start_over(Instant::now()),
        }
        Ok(())
    }

    /// The port to port_probe at after `failure`, where the host is silent and attempts would be too many.
    async fn port_to_probe(&mut self, failure: &Failure) -> Option<Port> {
        if !self.backoff.waits_for_answer(failure.kind, Instant::now()) {
            return None;
        }
        tokio::select! {
            () = told(&mut self.stop) => None,
            port = Port::find(&self.request.login) => port,
        }
    }
}

/// Resolves once the tunnel is to stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could say so.
        std::future::pending::<()>().await;
    }
}
