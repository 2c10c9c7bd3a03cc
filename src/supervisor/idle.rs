//! Rest of an on-demand tunnel: no ssh, no timer, no watch of the network. It waits for a connection, the request to
//! stop, or the removal of its directory.

use tokio::time::Instant;

use super::interrupts::Interrupts;
use super::link::timer;
use super::publish::Publisher;
use super::relay::demand::Demand;
use super::removal::RemovalWatch;
use crate::openssh::failure::Failure;
use crate::runtime::directory::Directory;
use crate::runtime::prompt::RENEWAL;

/// Failure of the last attempt of an idle tunnel.
pub(super) struct Setback {
    pub(super) failure: Failure,
    /// Start of the attempt.
    pub(super) begun: Instant,
    /// Time until which connections are refused at once, as no attempt can succeed.
    pub(super) blocked_until: Option<Instant>,
}

/// Waits until something needs a link, or the tunnel's directory is gone, which an attempt reports. Refuses connections
/// while the user must mend the `setback`; a command, which a user has typed, is never refused. Returns false if the
/// tunnel must stop.
pub(super) async fn until_wanted(
    setback: Option<&Setback>,
    demand: &Demand,
    interrupts: &mut Interrupts,
    publisher: &Publisher<'_>,
) -> bool {
    let blocked_until = setback.and_then(|setback| setback.blocked_until);
    let mut stop = interrupts.stop();
    let socket = publisher.directory().ssh_control();
    let tunnels = Directory::all(publisher.paths()).map_or(0, |all| all.len());
    let mut watch = RemovalWatch::new(socket.parent().unwrap_or(&socket), tunnels);
    loop {
        // Also one from before the watch.
        if publisher.displacement().is_some() {
            return true;
        }
        tokio::select! {
            () = stop.requested() => return false,
            () = watch.removal() => continue,
            () = demand.wanted() => {}
            () = renewal() => {
                publisher.renew_promise();
                continue;
            }
        }
        if demand.is_insistent() || blocked_until.is_none_or(|until| Instant::now() >= until) {
            return true;
        }
        demand.refuse().await;
    }
}

/// Waits until the promise to prompts must be renewed: never on Linux, where prompts recognise the process.
async fn renewal() {
    if cfg!(target_os = "linux") {
        std::future::pending::<()>().await;
    }
    timer::until(Instant::now() + RENEWAL).await;
}
