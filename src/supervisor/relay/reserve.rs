//! Reserves the listening ends of forwards.

use std::io;

use super::port_conflict;
use super::unix_socket::{self, Endpoint};
use crate::error::Result;
use crate::runtime::forward::Forward;
use crate::supervisor::protocol::request::Request;
use crate::system::paths::Paths;
use crate::system::tcp_port::{bind_above, is_taken};

/// A forward whose listening end is reserved.
#[derive(Debug)]
pub struct Reserved {
    /// The forward with its final local port.
    pub forward: Forward,
    /// Its listening end; `None` if the server listens.
    pub endpoint: Option<Endpoint>,
}

/// Reserves the listening ends of `request`, all or none. Taken ports are an error, unless their services may use
/// others.
pub fn bind_all(request: &Request, paths: &Paths) -> Result<Vec<Reserved>> {
    reserve_all(request, paths, &request.forwards)
}

/// Returns the forwards of `request` with the local ports that [`bind_all`] would choose now. Keeps none of them.
pub fn preview(request: &Request, paths: &Paths) -> Result<Vec<Forward>> {
    let (services, others): (Vec<Forward>, Vec<Forward>) =
        request.forwards.iter().cloned().partition(Forward::is_service);
    let reserved = reserve_all(request, paths, &services)?;
    Ok(reserved.into_iter().map(|reserved| reserved.forward).chain(others).collect())
}

/// Reserves the listening ends of `forwards`; the error has all that are taken.
fn reserve_all(request: &Request, paths: &Paths, forwards: &[Forward]) -> Result<Vec<Reserved>> {
    let mut kept = request.local_ports();
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    for forward in forwards {
        match reserve(forward, request, &mut kept) {
            Ok(reserved) => all.push(reserved),
            Err(error) => refused.push((forward, error)),
        }
    }
    if refused.is_empty() {
        return Ok(all);
    }
    let error = port_conflict::error(&refused, request, paths);
    all.into_iter().filter_map(|reserved: Reserved| reserved.endpoint).for_each(Endpoint::close);
    Err(error)
}

/// Reserves the listening end of `forward`. Another port than its own is not one of `kept`, and is added there.
fn reserve(forward: &Forward, request: &Request, kept: &mut Vec<u16>) -> io::Result<Reserved> {
    match unix_socket::open(&forward.spec) {
        Ok(endpoint) => Ok(Reserved { forward: forward.clone(), endpoint }),
        Err(error) if is_taken(&error) && request.is_movable(forward) => {
            let Some(service) = forward.service() else { return Err(error) };
            let Some((port, listeners)) = bind_above(service.local, kept) else { return Err(error) };
            kept.push(port);
            let forward = Forward::of_service(service.name, port, service.remote);
            Ok(Reserved { forward, endpoint: Some(Endpoint::Port(listeners)) })
        }
        Err(error) => Err(error),
    }
}
