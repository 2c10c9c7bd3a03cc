//! The life of a tunnel: from set-up through its states to the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::{self, Backoff};
use super::connect::Connector;
use super::end::{End, Rest};
use super::idle::{self, Setback};
use super::interrupts::{Interrupt, Interrupts};
use super::link::process;
use super::link::tcp_probe::Port;
use super::monitor::Monitor;
use super::protocol::event::Event;
use super::protocol::exec::ForegroundLaunch;
use super::protocol::location::Relocation;
use super::protocol::progress::Style;
use super::protocol::request::{FirstLink, Request};
use super::publish::Publisher;
use super::relay::demand::Demand;
use super::setup::{self, Parts};
use super::starter::Starter;
use crate::error::{Error, Result};
use crate::openssh::Login;
use crate::openssh::failure::{Failure, Kind};
use crate::system::heap;
use crate::system::paths::Paths;

/// Runs the tunnel of `request` to its end and sends its events to `starter`. Returns when the tunnel was stopped, or
/// with the reason why it failed.
pub fn run(request: Request, paths: &Paths, starter: &Starter) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::cannot("start the supervisor", error))?;
    let result = runtime.block_on(async {
        let parts = setup::set_up(&request, paths, starter.clone()).await?;
        Supervisor::new(&request, parts).run().await
    });
    // A name lookup that is still running must not delay the end of the process.
    runtime.shutdown_background();
    let result = match result {
        Ok(Finish::Stopped) => Ok(()),
        Ok(Finish::RuntimeRemoved) => restart_below_home(request),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        starter.send(&Event::from(error));
    }
    starter.finish();
    result
}

/// Execs a supervisor of the same tunnel whose runtime directory is below the home directory. Returns only if that
/// fails.
fn restart_below_home(request: Request) -> Result<()> {
    let paths = Paths::from_env()?;
    paths.ensure_runtime()?;
    let colour = crate::terminal::chosen_colour();
    let request = Request { tries: Vec::new(), ..request };
    ForegroundLaunch { request, style: Style::Quiet, command: String::new(), colour }.exec(&paths)
}

/// End of a tunnel that did not fail.
enum Finish {
    /// It was stopped.
    Stopped,
    /// Its runtime directory was removed at the user's logout; it can go on in another.
    RuntimeRemoved,
}

/// State of the link.
enum Link {
    /// On demand: there is no ssh until something waits for a link.
    Idle(Option<Setback>),
    /// An ssh is starting.
    Connecting,
    /// ssh has logged in, and every forward is confirmed.
    Up(Box<process::Link>),
    /// There is no link; the next attempt comes after a pause. The last attempt took `took`.
    Waiting { failure: Failure, took: Duration },
    /// The tunnel has ended.
    Ended(Result<Finish>),
}

/// Supervisor of one tunnel.
struct Supervisor<'a> {
    /// The login, which follows the instance when it moves.
    login: Login,
    publisher: Publisher<'a>,
    connector: Connector,
    monitor: Monitor,
    interrupts: Interrupts,
    backoff: Backoff,
    demand: Arc<Demand>,
    /// True if ssh runs on demand only.
    is_on_demand: bool,
    first: FirstLink,
    /// Time at which the last link was lost; `None` until a link has been up.
    lost_at: Option<Instant>,
}

impl<'a> Supervisor<'a> {
    /// Returns the supervisor of the tunnel of `request`.
    fn new(request: &Request, parts: Parts<'a>) -> Self {
        let Parts { publisher, connector, monitor, interrupts, demand } = parts;
        let (login, backoff) = (request.login.clone(), Backoff::after(&request.tries, Instant::now()));
        let (is_on_demand, first) = (request.on_demand.is_some(), request.first);
        let lost_at = None;
        Self {
            login,
            publisher,
            connector,
            monitor,
            interrupts,
            backoff,
            demand,
            is_on_demand,
            first,
            lost_at,
        }
    }

    /// Runs the tunnel to its end and cleans up.
    async fn run(mut self) -> Result<Finish> {
        let result = self.supervise().await;
        // Before the directory with its sockets goes.
        self.monitor.end_former().await;
        self.connector.forward_table().close().await;
        self.publisher.finish(result.is_err());
        result
    }

    /// Goes from state to state until the tunnel has ended.
    async fn supervise(&mut self) -> Result<Finish> {
        self.publisher.connecting();
        let mut link = Link::Connecting;
        if self.first == FirstLink::OnDemand {
            self.publisher.idle(&Rest::New, &self.login);
            link = Link::Idle(None);
        }
        loop {
            link = match link {
                Link::Idle(setback) => self.rest(setback).await,
                Link::Connecting => self.connect().await,
                Link::Up(ssh) => self.watch(*ssh).await,
                Link::Waiting { failure, took } => self.wait(&failure, took).await,
                Link::Ended(result) => return result,
            };
        }
    }

    /// Waits until something needs a link.
    async fn rest(&mut self, setback: Option<Setback>) -> Link {
        self.interrupts.pause();
        heap::release();
        let stays =
            idle::until_wanted(setback.as_ref(), &self.demand, &mut self.interrupts, &self.publisher).await;
        if !stays {
            return self.stopped();
        }
        self.interrupts.resume();
        self.publisher.opening();
        let now = Instant::now();
        // From now on, an attempt replaces a link.
        self.lost_at = Some(now);
        if let Some(Setback { failure, begun, blocked_until: None }) = setback
            && now - begun < backoff::OUTAGE
        {
            return Link::Waiting { failure, took: now - begun };
        }
        self.backoff.start_over(now);
        Link::Connecting
    }

    /// Ends the attempts of an on-demand tunnel for now. The last one failed and took `took`.
    async fn give_up(&mut self, failure: Failure, took: Duration) -> Link {
        let now = Instant::now();
        let is_blocked = failure.kind.needs_user();
        let rest = if is_blocked { Rest::Blocked(&failure) } else { Rest::Failed(&failure) };
        self.publisher.idle(&rest, &self.login);
        let blocked_until = is_blocked.then(|| now + self.backoff.block());
        if is_blocked {
            self.demand.refuse().await;
        }
        let begun = now.checked_sub(took).unwrap_or(now);
        Link::Idle(Some(Setback { failure, begun, blocked_until }))
    }

    async fn connect(&mut self) -> Link {
        let begun = Instant::now();
        self.backoff.begin(begun);
        let away = self.lost_at.map(|lost_at| lost_at.elapsed());
        let Self { login, publisher, connector, interrupts, backoff, .. } = self;
        let outcome = connector.connect(login, away, publisher, interrupts, backoff).await;
        // The budget of `backoff` counts an attempt as one connection.
        login.single_try = true;
        match outcome {
            Ok(ssh) => {
                self.backoff.succeed();
                Link::Up(Box::new(ssh))
            }
            Err(end) => {
                if let End::Failed(failure) = &end {
                    self.backoff.fail(failure.kind);
                    self.login.detour = None;
                }
                self.next_after(end, begun.elapsed()).await
            }
        }
    }

    async fn watch(&mut self, ssh: process::Link) -> Link {
        self.monitor.open();
        self.publisher.up();
        heap::release();
        let since = Instant::now();
        let Self { login, publisher, connector, monitor, interrupts, backoff, .. } = self;
        let end = monitor.watch(ssh, login, connector, publisher, interrupts, backoff).await;
        let now = Instant::now();
        self.lost_at = Some(now);
        self.backoff.lose(now - since, now);
        self.next_after(end, Duration::ZERO).await
    }

    /// Returns the state after an attempt that took `took`, or after a link.
    async fn next_after(&mut self, end: End, took: Duration) -> Link {
        let was_up = self.lost_at.is_some();
        match end {
            End::Stop => self.stopped(),
            End::Unused => {
                self.publisher.idle(&Rest::Unused, &self.login);
                Link::Idle(None)
            }
            End::Relocated(relocation) => self.relocated(relocation),
            End::Answered => {
                self.publisher.log().write("the server answers again");
                Link::Connecting
            }
            End::Detour(option) => {
                let line = format!("the first address is silent; using another one: {option}");
                self.publisher.log().write(&line);
                self.login.detour = Some(option);
                Link::Connecting
            }
            End::Failed(failure) => {
                if was_up && failure.kind == Kind::Displaced && self.publisher.paths().is_runtime_gone() {
                    self.publisher.displaced(&failure);
                    return Link::Ended(Ok(Finish::RuntimeRemoved));
                }
                if self.is_last(&failure, was_up) {
                    return Link::Ended(Err(self.publisher.failed(&failure, &self.login, was_up)));
                }
                if self.is_on_demand && (failure.kind.needs_user() || self.demand.is_unused()) {
                    return self.give_up(failure, took).await;
                }
                Link::Waiting { failure, took }
            }
        }
    }

    /// Returns true if `failure` ends the tunnel.
    fn is_last(&self, failure: &Failure, was_up: bool) -> bool {
        match was_up {
            true if self.is_on_demand => failure.kind == Kind::Displaced,
            true => self.backoff.gives_up(failure.kind),
            false => self.first != FirstLink::Eventually || failure.kind.needs_user(),
        }
    }

    /// Waits until the next attempt is due after one that failed and took `took`.
    async fn wait(&mut self, failure: &Failure, took: Duration) -> Link {
        let port = self.port_to_probe(failure).await;
        let now = Instant::now();
        let pause = match &port {
            Some(_) => self.backoff.port_probe(0, now).pause,
            None => self.backoff.pause(failure.kind, took, fastrand::f64(), now),
        };
        let failures = self.backoff.failures();
        self.publisher.reconnecting(failure, failures, pause);
        self.interrupts.poll_provider_after(failures);
        let due = async {
            match &port {
                Some(port) => port.wait_until_answered(&mut self.backoff).await,
                // The connections that just lost their link come back, or wait already.
                None if pause.is_zero() => {}
                None => sleep(pause).await,
            }
        };
        let interrupt = tokio::select! {
            biased;
            interrupt = self.interrupts.next(&self.login.instance) => Some(interrupt),
            () = due => None,
            () = self.demand.unwanted(), if self.is_on_demand => {
                return self.give_up(failure.clone(), took).await;
            }
        };
        match interrupt {
            None => self.backoff.retry(),
            Some(Interrupt::System) => {
                let now = Instant::now();
                self.backoff.start_over(now);
                if !self.backoff.affords_another(now) {
                    return Link::Waiting { failure: failure.clone(), took: Duration::ZERO };
                }
            }
            Some(Interrupt::Relocated(relocation)) => return self.relocated(relocation),
            Some(Interrupt::Stop) => return self.stopped(),
        }
        Link::Connecting
    }

    /// Returns the port to probe after `failure`, if the host is silent and attempts would be too many.
    async fn port_to_probe(&mut self, failure: &Failure) -> Option<Port> {
        if !self.backoff.waits_for_answer(failure.kind, Instant::now()) {
            return None;
        }
        let mut stop = self.interrupts.stop();
        tokio::select! {
            () = stop.requested() => None,
            port = Port::find(&self.login) => port,
        }
    }

    fn stopped(&mut self) -> Link {
        self.publisher.stopped(self.lost_at.is_some());
        Link::Ended(Ok(Finish::Stopped))
    }

    /// Follows the instance to its new address, or ends if it is gone. The tunnel keeps its name and id.
    fn relocated(&mut self, relocation: Relocation) -> Link {
        match relocation {
            Relocation::There { instance } => {
                let target = &mut self.login.instance;
                self.publisher.moved(&instance);
                target.host.clone_from(&instance.host);
                target.port = instance.port;
                target.user = instance.user;
                target.user_is_default = instance.user_is_default;
                Link::Connecting
            }
            Relocation::Gone { reason, hints } => Link::Ended(Err(self.publisher.gone(reason, hints))),
        }
    }
}
