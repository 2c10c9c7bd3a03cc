//! Faults of a tunnel and the code that causes them.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::process;
use crate::support::sandbox::Sandbox;

/// All that a fault can be made to.
pub struct Scene {
    pub instance: Instance,
    pub network: Network,
    pub sandbox: Arc<Sandbox>,
    pub random: fastrand::Rng,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    SshKilled,
    SshSuspended,
    ServerRestarted,
    ServerAway,
    Silence,
    Forgotten,
    Reset,
    SupervisorKilled,
    Restart,
    StopAndStart,
}

impl Fault {
    pub const ALL: [Self; 10] = [
        Self::SshKilled,
        Self::SshSuspended,
        Self::ServerRestarted,
        Self::ServerAway,
        Self::Silence,
        Self::Forgotten,
        Self::Reset,
        Self::SupervisorKilled,
        Self::Restart,
        Self::StopAndStart,
    ];

    /// One of them.
    pub fn any(random: &mut fastrand::Rng) -> Self {
        Self::ALL[random.usize(..Self::ALL.len())]
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::SshKilled => "ssh killed",
            Self::SshSuspended => "ssh suspended for a while",
            Self::ServerRestarted => "server restarted",
            Self::ServerAway => "server away for a while",
            Self::Silence => "packets dropped for a while",
            Self::Forgotten => "connection forgotten on the way",
            Self::Reset => "connection reset",
            Self::SupervisorKilled => "supervisor killed, start",
            Self::Restart => "restart",
            Self::StopAndStart => "stop, start",
        }
    }

    /// Makes it happen; returns when it is over.
    pub fn happen(self, scene: &mut Scene) {
        match self {
            Self::SshKilled => scene.signal_ssh(Signal::SIGKILL),
            Self::SshSuspended => {
                scene.signal_ssh(Signal::SIGSTOP);
                scene.pass(8000);
                scene.signal_ssh(Signal::SIGCONT);
            }
            Self::ServerRestarted => {
                scene.instance.sshd.stop();
                scene.instance.sshd.resume();
            }
            Self::ServerAway => {
                scene.instance.sshd.stop();
                scene.pass(6000);
                scene.instance.sshd.resume();
            }
            Self::Silence => {
                scene.network.fall_silent();
                scene.pass(10_000);
                scene.network.speak();
            }
            Self::Forgotten => scene.network.forget(),
            Self::Reset => scene.network.reset(),
            Self::SupervisorKilled => {
                for supervisor in scene.sandbox.supervisors() {
                    process::signal(supervisor.pid, Signal::SIGKILL);
                }
                scene.pass(1000);
                scene.soong("start");
            }
            Self::Restart => scene.soong("restart"),
            Self::StopAndStart => {
                scene.soong("stop");
                scene.pass(1000);
                scene.soong("start");
            }
        }
    }
}

impl Scene {
    /// Lets up to `longest` milliseconds pass.
    fn pass(&mut self, longest: u64) {
        sleep(Duration::from_millis(self.random.u64(50..longest)));
    }

    fn signal_ssh(&self, signal: Signal) {
        for client in self.sandbox.clients() {
            process::signal(client.pid, signal);
        }
    }

    fn soong(&self, command: &str) {
        let output = self.sandbox.tunnel([command]).unchecked();
        assert_eq!(output.code, 0, "{command}: {output:#?}");
    }
}
