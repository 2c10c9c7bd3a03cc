//! How a supervisor begins: it takes what makes it the one supervisor of its tunnel – the lock, the
//! ports and the sockets – before there is an ssh.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Supervisor, control_server, signals};
use crate::config::forwarding::Listen;
use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::log::Log;
use crate::runtime::orphan;
use crate::runtime::state::State;
use crate::supervisor::askpass::helper::Askpass;
use crate::supervisor::backoff::Backoff;
use crate::supervisor::hooks::Hooks;
use crate::supervisor::link::liveness::Liveness;
use crate::supervisor::link::mux::Control;
use crate::supervisor::link::permission::Permission;
use crate::supervisor::link::probe::Probe;
use crate::supervisor::prompt_broker::{self, PromptBroker};
use crate::supervisor::protocol::event::Event;
use crate::supervisor::protocol::request::Request;
use crate::supervisor::provider_watch::ProviderWatch;
use crate::supervisor::relay::fd_limit;
use crate::supervisor::relay::forward_table::ForwardTable;
use crate::supervisor::relay::metrics::Metrics;
use crate::supervisor::relay::owner::Guard;
use crate::supervisor::relay::reserve::{self, Bound};
use crate::supervisor::relay::room::Room;
use crate::supervisor::relay::serve::{self, Uplink};
use crate::supervisor::relay::unix_socket;
use crate::supervisor::starter::Starter;
use crate::supervisor::system_events::Watch;
use crate::system::paths::Paths;

impl<'a> Supervisor<'a> {
    /// Takes the lock and the ports and opens the supervisor's socket. When this fails nothing is
    /// left behind.
    pub(super) async fn prepare(request: Request, paths: &'a Paths, starter: Starter) -> Result<Self> {
        let (stopper, stop) = watch::channel(false);
        signals::stop_on(&stopper, starter.is_terminal())?;
        let directory = Directory::new(paths, &request.name)?;
        directory.create()?;
        let lock = control_server::lock(&directory).await?;
        refuse_second(paths, &request.name, &starter)?;
        orphan::terminate(&directory, request.program());
        directory.clear(&lock, false);
        let (link_up, link) = watch::channel(false);
        let (name, instance) = (request.name.clone(), request.login.instance.clone());
        let state = State::starting(&request.login.instance, &request.forwards);
        let log = Arc::new(Log::new(paths.log(&request.name)));
        if let Err(error) = log.open() {
            // On a full disk a tunnel is of more use than its log.
            starter.tell(&Event::Warning { text: error.to_string() });
        }
        let liveness = Arc::new(Liveness::new(request.login.keepalive));
        let room = Room::new(fd_limit::raise());
        if cfg!(not(target_os = "linux")) && request.only_me == Some(true) {
            starter.tell(&Event::Warning { text: "tunnel.only-me has no effect on this system".into() });
        }
        let guard = Guard::new(request.only_me, Arc::clone(&log));
        let (hold, liveness_of_uplink) = (request.hold, Arc::clone(&liveness));
        let uplink =
            Uplink { link, hold, room, guard, liveness: liveness_of_uplink, counters: Arc::default() };
        let metrics = Metrics::default();
        let control = Control::new(directory.ssh_control());
        let permission = Arc::new(Permission::new(control.clone()));
        let mut supervisor = Self {
            forward_table: Arc::new(ForwardTable::new(
                &directory,
                &control,
                &permission,
                uplink.clone(),
                metrics.clone(),
                Arc::clone(&log),
            )),
            log,
            probe: Arc::new(Probe::new(&directory)),
            prompts: Arc::new(PromptBroker::new(starter.clone(), request.askpass.clone())),
            askpass: Askpass::new(directory.askpass_socket()).map_err(|source| Error::Io {
                action: "cannot set up ssh's prompts".into(),
                source,
                hint: None,
            })?,
            liveness,
            request,
            paths,
            directory,
            control,
            permission,
            lock,
            starter,
            state,
            link_up,
            stop,
            daemon_wake: Arc::default(),
            system_events: Watch::new(),
            backoff: Backoff::new(Instant::now()),
            provider: ProviderWatch::new(&instance.id),
            hooks: Hooks::new(paths, &name),
            metrics,
        };
        if let Err(error) = supervisor.open(&uplink, stopper).await {
            supervisor.forward_table.close().await;
            supervisor.directory.clear(&supervisor.lock, false);
            return Err(error);
        }
        supervisor.tell_prompts();
        Ok(supervisor)
    }

    async fn open(&mut self, uplink: &Uplink, stopper: watch::Sender<bool>) -> Result<()> {
        let bound = reserve::bind_all(&self.request, self.paths)?;
        let doors = reserve::open_extras(&self.request, self.paths)?;
        self.forward_table.begin(&self.request.extras, doors).await?;
        self.request.forwards = bound.iter().map(|bound| bound.forward.clone()).collect();
        self.state.forwards.clone_from(&self.request.forwards);
        let socket = self.directory.supervisor_socket();
        let requests = listen(&socket).map_err(|error| Error::io("open", &socket, error))?;
        let socket = self.directory.askpass_socket();
        let asked = listen(&socket).map_err(|error| Error::io("open", &socket, error))?;
        tokio::spawn(prompt_broker::serve(asked, Arc::clone(&self.prompts)));
        self.state.write(&self.directory)?;
        let (daemon_wake, forward_table) = (Arc::clone(&self.daemon_wake), Arc::clone(&self.forward_table));
        let serve = control_server::serve(
            requests,
            stopper.clone(),
            daemon_wake,
            self.metrics.clone(),
            forward_table,
        );
        tokio::spawn(serve);
        self.starter.listen(stopper);
        self.serve(bound, uplink)
    }

    /// Accepts connections to the services.
    fn serve(&self, bound: Vec<Bound>, uplink: &Uplink) -> Result<()> {
        for Bound { forward, listeners } in bound {
            let socket = self.directory.forward_socket(forward.local);
            let counters = self.metrics.counters(Listen::Port(forward.local));
            let uplink = Uplink { counters, room: uplink.room.for_listener(), ..uplink.clone() };
            for listener in listeners {
                let listener =
                    TcpListener::from_std(listener).map_err(|error| Error::io("serve", &socket, error))?;
                tokio::spawn(serve::serve(listener, socket.clone(), uplink.clone()));
            }
        }
        Ok(())
    }
}

/// Refuses a tunnel that runs already in another session of the user, and says where.
fn refuse_second(paths: &Paths, name: &str, starter: &Starter) -> Result<()> {
    for other in Directory::elsewhere(paths, name) {
        if other.is_locked()? {
            starter.tell(&Event::Warning { text: format!("it is running in another session: {other}") });
            return Err(Error::AlreadyRunning);
        }
    }
    Ok(())
}

/// Listens at `path`, for this user only.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = unix_socket::bind_private(path)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}
