//! Set-up of a supervisor: it takes the lock, the ports and the sockets before it starts ssh.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::sync::watch;

use super::connect::Connector;
use super::interrupts::Interrupts;
use super::link::carrier::Exchange;
use super::monitor::Monitor;
use super::prompt_broker;
use super::protocol::event::Event;
use super::protocol::request::Request;
use super::publish::Publisher;
use super::relay::connection_limit::ConnectionLimit;
use super::relay::demand::Demand;
use super::relay::fd_limit;
use super::relay::metrics::Metrics;
use super::relay::owner::Guard;
use super::relay::reserve;
use super::relay::unix_socket;
use super::relay::uplink::Uplink;
use super::starter::Starter;
use super::{already_running, control_server, signals};
use crate::daemon;
use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::runtime::log::Log;
use crate::runtime::orphan;
use crate::runtime::state::State;
use crate::system::paths::Paths;

/// Parts of a supervisor.
pub(super) struct Parts<'a> {
    pub(super) publisher: Publisher<'a>,
    pub(super) connector: Connector,
    pub(super) monitor: Monitor,
    pub(super) interrupts: Interrupts,
    pub(super) demand: Arc<Demand>,
}

/// Takes the lock and the ports, opens the supervisor's socket and begins to serve. Leaves nothing behind if it fails.
pub(super) async fn set_up<'a>(request: &Request, paths: &'a Paths, starter: Starter) -> Result<Parts<'a>> {
    let (stopper, stop) = watch::channel(false);
    signals::stop_on(&stopper, starter.is_terminal())?;
    let publisher = publisher(request, paths, starter).await?;
    let (link_up, link) = watch::channel(None);
    let demand = Arc::new(Demand::default());
    let uplink = Uplink {
        link,
        hold: request.hold,
        demand: Arc::clone(&demand),
        limit: ConnectionLimit::new(fd_limit::raise()),
        guard: Guard::new(request.only_me, Arc::clone(publisher.log())),
        exchange: Exchange::default(),
        counters: Arc::default(),
    };
    let metrics = Metrics::default();
    let connector = match Connector::new(request, &publisher, &uplink, &metrics) {
        Ok(connector) => connector,
        Err(error) => {
            publisher.abandon();
            return Err(error);
        }
    };
    let monitor = Monitor::new(request.login.keepalive, link_up, Arc::clone(&demand), request.on_demand);
    let interrupts = Interrupts::new(stop, &request.login.instance.id);
    let mut parts = Parts { publisher, connector, monitor, interrupts, demand };
    if let Err(error) = parts.open(request, &metrics, stopper).await {
        parts.connector.forward_table().close().await;
        parts.publisher.abandon();
        return Err(error);
    }
    parts.publisher.renew_promise();
    Ok(parts)
}

impl Parts<'_> {
    /// Reserves the ports, opens the sockets and begins to serve them.
    async fn open(
        &mut self,
        request: &Request,
        metrics: &Metrics,
        stopper: watch::Sender<bool>,
    ) -> Result<()> {
        let reserved = reserve::bind_all(request, self.publisher.paths())?;
        let forwards: Vec<Forward> = reserved.iter().map(|reserved| reserved.forward.clone()).collect();
        let forward_table = Arc::clone(self.connector.forward_table());
        forward_table.begin(reserved).await?;
        let directory = self.publisher.directory();
        let socket = directory.supervisor_socket();
        let requests = listen(&socket).map_err(|error| Error::io("open", &socket, error))?;
        let socket = directory.askpass_socket();
        let questions = listen(&socket).map_err(|error| Error::io("open", &socket, error))?;
        tokio::spawn(prompt_broker::serve(questions, Arc::clone(self.connector.prompts())));
        let daemon = forwards.iter().find(|forward| forward.is_for(daemon::SERVICE));
        let socket = |forward: &Forward| directory.forward_socket(&forward.spec.listen());
        self.monitor.set_daemon_socket(daemon.map(socket));
        self.publisher.bound(forwards)?;
        tokio::spawn(control_server::serve(
            requests,
            stopper.clone(),
            Arc::clone(self.monitor.daemon_wake()),
            metrics.clone(),
            forward_table,
        ));
        self.publisher.starter().listen(stopper);
        Ok(())
    }
}

/// Takes the lock and returns the publisher.
async fn publisher<'a>(request: &Request, paths: &'a Paths, starter: Starter) -> Result<Publisher<'a>> {
    let directory = Directory::new(paths, &request.name)?;
    directory.create()?;
    let lock = control_server::lock(&directory).await?;
    let lock = lock.ok_or_else(|| already_running::error(&directory, request))?;
    refuse_second(paths, request, &starter)?;
    orphan::terminate(&directory, request.program());
    orphan::terminate_programs(&directory);
    directory.clear(&lock, false);
    directory.create_ssh_directories()?;
    let log = Arc::new(Log::new(paths.log(&request.name)));
    // The tunnel works without its log, for example on a full disk.
    let log_fault = log.open().err().map(|error| error.to_string());
    let only_me = cfg!(not(target_os = "linux")) && request.only_me == Some(true);
    let only_me = only_me.then(|| "tunnel.only-me has no effect on this system".to_owned());
    for text in [log_fault, only_me].into_iter().flatten() {
        starter.send(&Event::Warning { text });
    }
    let on_demand = request.on_demand.map(|idle| idle.as_secs());
    let state = State { on_demand, ..State::starting(&request.login.instance, &request.forwards) };
    Ok(Publisher::new(paths, directory, lock, (&request.name, state), log, starter))
}

/// Refuses a tunnel that is already running in another session of the user, and warns where.
fn refuse_second(paths: &Paths, request: &Request, starter: &Starter) -> Result<()> {
    for other in Directory::elsewhere(paths, &request.name) {
        if other.is_locked()? {
            starter.send(&Event::Warning { text: format!("it is running in another session: {other}") });
            return Err(already_running::error(&other, request));
        }
    }
    Ok(())
}

/// Listens on `path`, for this user only.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = unix_socket::bind_private(path)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}
