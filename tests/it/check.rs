//! `soong tunnel status --check`: is it the link, or is it the service?

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::config::forward;
use crate::support::http::{Reply, Request, Server};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;
use crate::support::{ports, process, wait};

/// Answers like SGLang's list of models, with a name that holds control sequences for the terminal.
fn models(request: &Request) -> Reply {
    match request.line.as_str() {
        "GET /v1/models" => Reply::ok(r#"{"data":[{"id":"qwen\u001b[2J"}]}"#),
        _ => Reply::error("404 Not Found", "{}"),
    }
}

/// A service on its own port that treats every connection in this way.
fn raw(with: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(with));
    port
}

/// A sandbox whose tunnel leads to these ports of the instance, and is up.
fn tunnel_to(instance: &Instance, services: &[(&str, u16)]) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config| {
        for (index, (name, remote)) in services.iter().enumerate() {
            let local = config.local.get(index).copied().unwrap_or_else(ports::free);
            config.set(["services", *name], forward(*remote, local));
        }
    });
    sandbox.tunnel(["start"]).stdout_has("started").run();
    sandbox
}

#[test]
fn services_that_answer_are_told_with_what_they_say() {
    let instance = Instance::start();
    let sglang = Server::start(models);
    let greets = raw(|mut stream| drop(stream.write_all(b"SSH-2.0-x\r\n")));
    let hangs_up = raw(|mut stream| drop(stream.read(&mut [0; 4])));
    let sandbox = tunnel_to(
        &instance,
        &[
            ("sglang", sglang.port),
            ("n8n", instance.services[1].port),
            ("status", instance.services[2].port),
            ("greets", greets),
            ("hangs-up", hangs_up),
        ],
    );
    sandbox.tunnel(["status", "missing", "--check"]).fails(1, ["no instance 'missing'"]).run();
    let [a, b, c] = sandbox.config.local;
    let all = format!(
        "\n  localhost:{a} sglang: answering: HTTP 200, model qwen\\u{{1b}}[2J\n  \
         localhost:{b} n8n: answering: HTTP 404\n  \
         localhost:{c} status: answering: HTTP 404\n"
    );
    let output = sandbox.tunnel(["status", "--check"]).stdout_has(all).run();
    assert!(output.stdout.contains(" greets: open: not HTTP\n"), "{}", output.stdout);
    assert!(output.stdout.contains(" hangs-up: open: not HTTP\n"), "{}", output.stdout);
    let answer = sandbox.tunnel(["status", "--check", "--json"]).stdout_has("").run().stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let check = &answer["tunnels"][0]["checks"][0];
    assert_eq!(check["state"], "answering");
    assert_eq!(check["http_status"], 200);
    assert_eq!(check["model"], "qwen\u{1b}[2J");
    assert!(check["reason"].is_null());
}

#[test]
fn a_service_that_does_not_answer_is_no_lost_link() {
    let instance = Instance::start();
    let ill = Server::start(|_| Reply::error("503 Service Unavailable", "{}"));
    let silent = Server::start(|_| Reply::Silence);
    let sandbox =
        tunnel_to(&instance, &[("sglang", ill.port), ("n8n", silent.port), ("status", ports::free())]);
    let [a, b, c] = sandbox.config.local;
    sandbox
        .tunnel(["status", "--check"])
        .code(1)
        .stdout_has(format!(
            "\n  localhost:{a} sglang: not answering: HTTP 503\n  \
             localhost:{b} n8n: not answering: accepts connections but does not answer\n  \
             localhost:{c} status: not answering: refused on the instance\n"
        ))
        .stderr("hint: check the service on the instance: soong ssh dev\n")
        .run();
}

/// The protocol of such a forward is unknown: the check sends nothing and counts what arrives like any other
/// data.
#[test]
fn forwards_beyond_the_services_are_looked_at_too() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let [there, gone, proxy] = [ports::free(), ports::free(), ports::free()];
    let (socket, far) = (sandbox.path("run/here.sock"), instance.services[1].port);
    let options = [
        "start".to_owned(),
        format!("--forward={there}:localhost:{far}"),
        format!("--forward={}:localhost:{far}", socket.display()),
        format!("--socks={proxy}"),
    ];
    sandbox.tunnel(options).stdout_has("started").run();
    let checked = sandbox.tunnel(["status", "--check"]).stdout_has("").run().stdout;
    let socket = socket.display().to_string();
    for line in [
        format!("  localhost:{there} -> localhost:{far}: open\n"),
        format!("  {socket} -> localhost:{far}: open\n"),
        format!("  localhost:{proxy} -> anywhere, as a SOCKS proxy: open\n"),
    ] {
        assert!(checked.contains(&line), "{line}{checked}");
    }
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(b"GET /id HTTP/1.1\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    let answer = sandbox.tunnel(["status", "--json"]).stdout_has("").run().stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let flows = answer["tunnels"][0]["traffic"].as_array().unwrap().clone();
    let flow = flows.iter().find(|flow| flow["local"] == socket.as_str()).unwrap();
    assert_eq!((&flow["open"], &flow["connections"], &flow["sent"]), (&1.into(), &1.into(), &20.into()));
    sandbox.tunnel(["list"]).stdout_has("running  1     20 B").run();
    let closed = ports::free();
    sandbox.tunnel(["forward", &format!("{gone}:localhost:{closed}")]).stdout_has("").run();
    let checked =
        sandbox.tunnel(["status", "--check"]).code(1).stdout_has("").stderr_has("hint: check the service");
    let checked = checked.run().stdout;
    let line = format!("  localhost:{gone} -> localhost:{closed}: not answering: refused on the instance\n");
    assert!(checked.contains(&line), "{line}{checked}");
    sandbox.tunnel(["forward", "--remove", &gone.to_string()]).stdout_has("").run();
    // The message of ssh.
    sandbox.tunnel(["forward", &format!("{gone}:/nowhere/x.sock")]).stdout_has("").run();
    let checked = sandbox.tunnel(["status", "--check"]).code(1).stdout_has("").stderr_has("").run().stdout;
    assert!(checked.contains("/nowhere/x.sock: not answering: the instance cannot connect"), "{checked}");
}

#[test]
fn a_link_that_is_silent_is_down_whatever_is_behind_it() {
    let instance = Instance::start();
    let sandbox = tunnel_to(&instance, &[]);
    // Without the server, no second ssh can take over.
    let both = [sandbox.clients()[0].pid, i32::try_from(instance.sshd.pid()).unwrap()];
    for pid in both {
        process::signal(pid, Signal::SIGSTOP);
    }
    let output = sandbox.tunnel(["status", "--check"]).code(1).stdout_has("Tunnel is ").run().stdout;
    for pid in both {
        process::signal(pid, Signal::SIGCONT);
    }
    assert_eq!(output.matches(": link down").count(), 3, "{output}");
}

/// A client that comes now gets no answer either, and the reason is not the service.
#[test]
#[cfg(target_os = "linux")]
fn a_check_meets_a_crowd_as_clients_do() {
    let instance = Instance::start();
    let (keep, kept) = std::sync::mpsc::channel();
    let mute = raw(move |stream| keep.send(stream).unwrap());
    let mut sandbox = Sandbox::with(&instance);
    let crowded = sandbox.config.local[1];
    sandbox.configure(|config| {
        config.set(["services", "n8n"], forward(mute, crowded));
    });
    let start = sandbox.tunnel(["start"]);
    start
        .through(&tool("sh"), ["-c", "ulimit -n 64 && exec \"$@\"", "sh"])
        .stdout_has("SSH tunnel started")
        .run();
    let crowd: Vec<_> = (0..12).map(|_| TcpStream::connect(("127.0.0.1", crowded)).unwrap()).collect();
    let open = || {
        let answer = sandbox.tunnel(["status", "--json"]).stdout_has("").run().stdout;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let flows = answer["tunnels"][0]["traffic"].as_array().unwrap().clone();
        flows.iter().map(|flow| flow["open"].as_u64().unwrap()).sum::<u64>()
    };
    // Of twelve places two are set aside for each of the other services; one more client has been accepted and waits.
    wait::until_true("all places to be taken", || open() == 8);
    let checked = sandbox.tunnel(["status", "--check"]).code(1).stdout_has("").stderr_has("").run().stdout;
    assert!(
        checked.contains(" n8n: not answering: the tunnel has no room for more connections\n"),
        "{checked}"
    );
    assert_eq!(checked.matches(": answering: HTTP 404").count(), 2, "{checked}");
    drop((crowd, kept));
}

#[test]
fn a_supervisor_that_hangs_is_told_at_once() {
    let instance = Instance::start();
    let sandbox = tunnel_to(&instance, &[]);
    let supervisor = sandbox.supervisors()[0].pid;
    process::signal(supervisor, Signal::SIGSTOP);
    let output = sandbox.tunnel(["status", "--check"]).code(1).stdout_has("").stderr_has("").run().stdout;
    process::signal(supervisor, Signal::SIGCONT);
    assert_eq!(output.matches(": link down: the supervisor does not respond").count(), 3, "{output}");
}

/// A check is not use: nothing that it does is counted.
#[test]
#[cfg(target_os = "linux")]
fn a_check_leaves_the_counters_alone() {
    let instance = Instance::start();
    let sandbox = tunnel_to(&instance, &[]);
    sandbox.tunnel(["status", "--check"]).stdout_has("answering").run();
    let answer = sandbox.tunnel(["status", "--json"]).stdout_has("").run().stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    for flow in answer["tunnels"][0]["traffic"].as_array().unwrap() {
        for counter in ["open", "connections", "sent", "received"] {
            assert_eq!(flow[counter], 0, "{flow}");
        }
    }
}

/// The server listens; whether anything listens here is known, too.
#[test]
fn a_remote_forward_is_open_if_its_target_here_is() {
    let instance = Instance::start();
    let sandbox = tunnel_to(&instance, &[]);
    let (here, [led, stray, gone]) = (raw(drop), [ports::free(), ports::free(), ports::free()]);
    for spec in [format!("{led}:localhost:{here}"), format!("{stray}:127.0.0.1:{gone}")] {
        sandbox.tunnel(["forward", "--quiet", "--remote", &spec]).run();
    }
    let checked = sandbox.tunnel(["status", "--check"]).code(1).stdout_has("").stderr_has("").run().stdout;
    assert!(checked.contains(&format!("{led} -> localhost:{here} on this machine: open\n")), "{checked}");
    let line = format!(": not answering: cannot connect to 127.0.0.1:{gone}: Connection refused\n");
    assert!(checked.contains(&line), "{checked}");
}
