//! A link of known properties: two network namespaces, and between them a cable that limits the rate, or a
//! [line](super::line) that takes time and loses packets.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use soong::error::{Error, Result};

use super::line::{self, FAR, Line, NEAR, Shape};
use super::program;
use super::sandbox::failed;

/// Address of the server's end.
pub const SERVER: &str = "192.0.2.2";
const CLIENT: &str = "192.0.2.1";
const CABLE: &str = "cable";

/// Returns the reason why such a link cannot be made here.
pub fn obstacle() -> Option<&'static str> {
    match (cfg!(target_os = "linux"), nix::unistd::geteuid().is_root()) {
        (true, true) => None,
        (true, false) => Some("network namespaces need root"),
        (false, _) => Some("network namespaces need Linux"),
    }
}

/// Returns the reason why a line cannot be made here.
pub fn obstacle_to_lines() -> Option<&'static str> {
    obstacle().or_else(|| (!Path::new("/dev/net/tun").exists()).then_some("/dev/net/tun is missing"))
}

/// Runs `work` in one namespace with the result of `serve` from the other, reached at [`FAR`], and the line
/// between them.
pub fn over_line<T: Send, R: Send>(
    shape: Shape,
    serve: impl FnOnce() -> Result<T> + Send,
    work: impl FnOnce(T, &Line) -> Result<R> + Send,
) -> Result<R> {
    thread::scope(|scope| {
        let (hand_over, handed_over) = channel();
        let server = scope.spawn(move || -> Result<()> {
            leave()?;
            let far = end_of_line(FAR, NEAR)?;
            hand_over.send((far, serve()?)).map_err(|_| Error::failed("the line is not used"))
        });
        let client = scope.spawn(move || -> Result<R> {
            leave()?;
            let near = end_of_line(NEAR, FAR)?;
            let (far, made) =
                handed_over.recv().map_err(|_| Error::failed("the other end of the line is gone"))?;
            let line = Line::between(&near, &far, shape, 0).map_err(|error| failed("make a line", error))?;
            work(made, &line)
        });
        let panicked = |_| Error::failed("a thread panicked");
        server.join().map_err(panicked)??;
        client.join().map_err(panicked)?
    })
}

fn end_of_line(ours: &str, theirs: &str) -> Result<File> {
    /// Linux' own default; a machine may have another.
    const CONGESTION: &str = "cubic";
    let end = line::end().map_err(|error| failed("make an end of a line", error))?;
    for arguments in line::settings(ours, theirs, CONGESTION) {
        run("ip", &arguments)?;
    }
    Ok(end)
}

/// Runs `work` in one namespace with the result of `serve` from the other. The link carries `rate`, in the
/// syntax of `tc`.
pub fn across<T: Send, R: Send>(
    rate: &str,
    serve: impl FnOnce() -> Result<T> + Send,
    work: impl FnOnce(T) -> Result<R> + Send,
) -> Result<R> {
    let gone = |_| Error::failed("the other end of the cable is gone");
    thread::scope(|scope| {
        let (tell_thread, their_thread) = channel();
        let (tell_cable, cable) = channel();
        let (hand_over, handed_over) = channel();
        let server = scope.spawn(move || -> Result<()> {
            leave()?;
            tell_thread.send(thread_id()).map_err(|_| Error::failed("the cable was not set up"))?;
            cable.recv().map_err(gone)?;
            connect(SERVER, rate)?;
            hand_over.send(serve()?).map_err(|_| Error::failed("the cable is not used"))
        });
        let client = scope.spawn(move || -> Result<R> {
            leave()?;
            let thread = their_thread.recv().map_err(gone)?;
            run("ip", &format!("link add {CABLE} type veth peer name {CABLE} netns {thread}"))?;
            connect(CLIENT, rate)?;
            tell_cable.send(()).map_err(|_| Error::failed("there is no server"))?;
            work(handed_over.recv().map_err(gone)?)
        });
        let panicked = |_| Error::failed("a thread panicked");
        server.join().map_err(panicked)??;
        client.join().map_err(panicked)?
    })
}

fn connect(address: &str, rate: &str) -> Result<()> {
    run("ip", &format!("address add {address}/24 dev {CABLE}"))?;
    run("ip", &format!("link set {CABLE} up"))?;
    run("tc", &format!("qdisc add dev {CABLE} root tbf rate {rate} burst 128k latency 20ms"))
}

fn run(name: &str, arguments: &str) -> Result<()> {
    let status = Command::new(program::find(name)?).args(arguments.split(' ')).status();
    let succeeded = status.map_err(|error| failed(name, error))?.success();
    if succeeded { Ok(()) } else { Err(Error::failed(format!("{name} {arguments} failed"))) }
}

/// Moves this thread and its children to a new network namespace.
#[cfg(target_os = "linux")]
fn leave() -> Result<()> {
    // SAFETY: unshare changes the namespace of the calling thread and nothing else.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(failed("make a network namespace", std::io::Error::last_os_error()));
    }
    run("ip", "link set lo up")
}

#[cfg(target_os = "linux")]
fn thread_id() -> i32 {
    nix::unistd::gettid().as_raw()
}

#[cfg(not(target_os = "linux"))]
fn leave() -> Result<()> {
    Err(Error::failed("network namespaces need Linux"))
}

#[cfg(not(target_os = "linux"))]
fn thread_id() -> i32 {
    0
}
