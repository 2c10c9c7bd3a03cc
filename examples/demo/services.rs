//! The three services of the demo's instance: stand-ins that answer as `SGLang` and n8n do, as far as the
//! tour goes, and the real status daemon.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::http::{self, Message};
use crate::stand_in::StandIn;
use crate::statusd::StatusDaemon;

/// The ports on which the instance offers them.
pub const SGLANG: u16 = 8000;
pub const N8N: u16 = 5678;
pub const STATUS_DAEMON: u16 = 8080;

/// The model that the stand-in for `SGLang` offers.
pub const MODEL: &str = "qwen2.5-coder-32b";

const COMPLETION: &str = "\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n";
const PAGE: &str =
    "<!doctype html>\n<title>n8n</title>\n<h1>Workflows</h1>\n<p>This page came through the tunnel.</p>\n";

/// The running services. Dropping it stops them.
pub struct Services {
    addresses: BTreeMap<u16, SocketAddr>,
    _running: JoinSet<()>,
    _daemon: Option<StatusDaemon>,
}

impl Services {
    /// Starts them on free ports of 127.0.0.1. The status daemon asks for `token`.
    pub async fn start(token: &str) -> Result<Self, Box<dyn Error>> {
        let mut running = JoinSet::new();
        let mut addresses = BTreeMap::new();
        let mut daemon = None;
        for port in [SGLANG, N8N, STATUS_DAEMON] {
            if port == STATUS_DAEMON && cfg!(target_os = "linux") {
                let real = StatusDaemon::start(token).await?;
                addresses.insert(port, real.address());
                daemon = Some(real);
                continue;
            }
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.insert(port, listener.local_addr()?);
            let stand_in = StandIn::new(token);
            running.spawn(http::serve(listener, move |request| match port {
                SGLANG => sglang(request),
                N8N => n8n(request),
                _ => stand_in.answer(request),
            }));
        }
        Ok(Self { addresses, _running: running, _daemon: daemon })
    }

    /// Ports as seen on the instance, and where each service really listens.
    pub fn addresses(&self) -> BTreeMap<u16, SocketAddr> {
        self.addresses.clone()
    }
}

fn sglang(request: &Message) -> Message {
    match method_and_path(request) {
        ("GET", "/v1/models") => ok(&json!({
            "object": "list",
            "data": [{ "id": MODEL, "object": "model", "owned_by": "sglang" }],
        })),
        ("POST", "/v1/completions") => complete(&request.body),
        _ => error("404 Not Found", "no such endpoint"),
    }
}

fn complete(body: &[u8]) -> Message {
    let Ok(asked) = serde_json::from_slice::<serde_json::Value>(body) else {
        return error("400 Bad Request", "the body is not JSON");
    };
    match (asked["model"].as_str(), asked["prompt"].as_str()) {
        (Some(MODEL), Some(_)) => ok(&json!({
            "object": "text_completion",
            "model": MODEL,
            "choices": [{ "index": 0, "text": COMPLETION, "finish_reason": "stop" }],
        })),
        (Some(_), Some(_)) => error("404 Not Found", "no such model"),
        _ => error("400 Bad Request", "a model and a prompt are needed"),
    }
}

fn n8n(request: &Message) -> Message {
    match method_and_path(request) {
        ("GET", "/") => Message::response("200 OK", &[("Content-Type", "text/html; charset=utf-8")], PAGE),
        _ => error("404 Not Found", "no such page"),
    }
}

pub fn method_and_path(request: &Message) -> (&str, &str) {
    let mut words = request.start.split(' ');
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

pub fn ok(body: &serde_json::Value) -> Message {
    Message::response("200 OK", &[("Content-Type", "application/json")], &format!("{body:#}\n"))
}

pub fn error(status: &str, reason: &str) -> Message {
    Message::response(
        status,
        &[("Content-Type", "application/json")],
        &format!("{:#}\n", json!({ "error": reason })),
    )
}
