//! The main job: from `start` to `stop`, with real requests through the tunnel.

use std::fs::{self, File};
use std::io;

use crate::support::curl::{curl, get, output};
use crate::support::instance::Instance;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::service::{Pattern, Service, digest};
use crate::support::sshd::Options;
use crate::support::{ports, process};

/// 64 MiB, and a bit that fits no buffer.
const LARGE: u64 = (64 << 20) + 3;

/// Requests that are in flight at the same time.
const CONCURRENT: usize = 200;

#[test]
fn a_tunnel_from_start_to_stop() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n").run();
    let pid = sandbox.start(&instance);
    for (service, local) in instance.services.iter().zip(sandbox.config.local) {
        assert_eq!(get(&format!("http://localhost:{local}/id")), service.name);
        for address in ports::addresses(local) {
            assert_eq!(get(&format!("http://{address}/id")), service.name, "{address}");
        }
    }
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
    let stopped = sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert_eq!(pid_in(&stopped.stdout), pid);
    assert!(!process::is_alive(pid), "stop returns when the tunnel is gone");
    assert!(sandbox.clients().is_empty(), "and its ssh with it");
    sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n").run();
    sandbox.tunnel(["stop"]).stdout("Tunnel is not running\n").run();
    assert_eq!(instance.sshd.logins(), 1);
    sandbox.assert_idle();
}

#[test]
fn the_tunnel_is_the_process_whose_pid_is_printed() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let supervisors = sandbox.supervisors();
    assert_eq!(supervisors.iter().map(|process| process.pid).collect::<Vec<_>>(), [pid]);
    let clients = sandbox.clients();
    assert_eq!(clients.iter().map(|process| process.parent).collect::<Vec<_>>(), [pid], "ssh is its child");
    assert_eq!(sandbox.processes().len(), 2, "and there is nothing else");
    let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).unwrap();
    assert_eq!(session.as_raw(), pid, "no terminal can take it along");
}

#[test]
fn a_large_download_is_byte_exact() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let file = sandbox.path("tmp/download");
    output(curl().arg("--output").arg(&file).arg(sandbox.url(0, &format!("bytes/{LARGE}"))));
    assert_eq!(fs::metadata(&file).unwrap().len(), LARGE);
    assert_eq!(digest(&mut File::open(&file).unwrap()).unwrap(), digest(&mut Pattern::new(LARGE)).unwrap());
}

#[test]
fn a_large_upload_is_byte_exact() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let file = sandbox.path("tmp/upload");
    io::copy(&mut Pattern::new(LARGE), &mut File::create(&file).unwrap()).unwrap();
    let body = format!("@{}", file.display());
    let answer = output(curl().args(["--data-binary", &body]).arg(sandbox.url(2, "digest")));
    assert_eq!(answer, format!("{LARGE} {}", digest(&mut Pattern::new(LARGE)).unwrap()));
}

#[test]
fn two_hundred_requests_at_once_all_succeed() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let mut command = curl();
    command.args(["--parallel", "--parallel-immediate", "--parallel-max"]).arg(CONCURRENT.to_string());
    for number in 0..CONCURRENT {
        let file = sandbox.path(&format!("tmp/{number}"));
        command.arg("--output").arg(file).arg(sandbox.url(number % 2, &format!("meet/{}", CONCURRENT / 2)));
    }
    output(&mut command);
    for number in 0..CONCURRENT {
        let answer = fs::read_to_string(sandbox.path(&format!("tmp/{number}"))).unwrap();
        assert_eq!(answer, "met", "all were there at the same time");
    }
    assert_eq!(instance.sshd.logins(), 1, "over one connection");
}

/// A locked-down account may forward ports but open no session.
#[test]
fn a_server_that_only_forwards_is_enough() {
    let instance = Instance::with(Options::default().line("MaxSessions 0").line("ForceCommand /bin/false"));
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
}

#[test]
fn a_service_that_is_not_there_does_not_hurt_the_others() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let [.., last] = &mut instance.services;
    let port = last.port;
    *last = Service::start("status");
    let refused = curl().arg(sandbox.url(2, "id")).output().unwrap();
    assert!(!refused.status.success(), "nothing listens on {port} any more");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
}
