//! The three services of the demo's instance: stand-ins that answer as `SGLang`, n8n and the status
//! daemon do, as far as the tour goes.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::http::{self, Message};

/// The ports on which the instance offers them.
pub const SGLANG: u16 = 8000;
pub const N8N: u16 = 5678;
pub const STATUS_DAEMON: u16 = 8080;

/// The model that the stand-in for `SGLang` offers.
pub const MODEL: &str = "qwen2.5-coder-32b";

const COMPLETION: &str = "\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n";
const PAGE: &str =
    "<!doctype html>\n<title>n8n</title>\n<h1>Workflows</h1>\n<p>This page came through the tunnel.</p>\n";
const HOUR: Duration = Duration::from_secs(3600);
const FIRST_LEASE: Duration = Duration::from_secs(4 * 3600);
/// More hours than this are not granted at once.
const EXTENSION_MAX: u32 = 24;

/// The running services. Dropping it stops them.
pub struct Services {
    addresses: BTreeMap<u16, SocketAddr>,
    _running: JoinSet<()>,
}

impl Services {
    /// Starts them on free ports of 127.0.0.1. The status daemon asks for `token`.
    pub async fn start(token: &str) -> io::Result<Self> {
        let mut running = JoinSet::new();
        let mut addresses = BTreeMap::new();
        let daemon = StatusDaemon {
            token: token.into(),
            shutdown: Arc::new(Mutex::new(SystemTime::now() + FIRST_LEASE)),
        };
        for port in [SGLANG, N8N, STATUS_DAEMON] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.insert(port, listener.local_addr()?);
            let daemon = daemon.clone();
            running.spawn(http::serve(listener, move |request| match port {
                SGLANG => sglang(request),
                N8N => n8n(request),
                _ => daemon.answer(request),
            }));
        }
        Ok(Self { addresses, _running: running })
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

#[derive(Clone)]
struct StatusDaemon {
    token: Arc<str>,
    shutdown: Arc<Mutex<SystemTime>>,
}

impl StatusDaemon {
    fn answer(&self, request: &Message) -> Message {
        let asked = method_and_path(request);
        if asked == ("GET", "/health") {
            return ok(&json!({ "status": "ok" }));
        }
        if request.header("authorization").and_then(|value| value.strip_prefix("Bearer "))
            != Some(&self.token)
        {
            let headers = [("Content-Type", "application/json"), ("WWW-Authenticate", "Bearer")];
            return Message::response(
                "401 Unauthorized",
                &headers,
                &json!({ "error": "token needed" }).to_string(),
            );
        }
        match asked {
            ("GET", "/status") => ok(&json!({
                "shutdown_at": self.shutdown_in(0),
                "model_loaded": MODEL,
                "gpu_utilization": 37,
                "idle_minutes": 0,
            })),
            ("POST", "/extend") => match hours(&request.text()) {
                Some(hours) => {
                    ok(&json!({ "extended_by_hours": hours, "new_shutdown_at": self.shutdown_in(hours) }))
                }
                None => error("400 Bad Request", "hours must be a number from 1 to 24"),
            },
            _ => error("404 Not Found", "no such endpoint"),
        }
    }

    /// Puts the end of the lease off by `hours` and says when it is, as RFC 3339 has it.
    fn shutdown_in(&self, hours: u32) -> String {
        let mut shutdown = self.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
        *shutdown += HOUR * hours;
        humantime::format_rfc3339_seconds(*shutdown).to_string()
    }
}

/// The form field `hours`.
fn hours(form: &str) -> Option<u32> {
    let value = form.split('&').find_map(|field| field.strip_prefix("hours="))?;
    value.parse().ok().filter(|hours| (1..=EXTENSION_MAX).contains(hours))
}

fn method_and_path(request: &Message) -> (&str, &str) {
    let mut words = request.start.split(' ');
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

fn ok(body: &serde_json::Value) -> Message {
    Message::response("200 OK", &[("Content-Type", "application/json")], &format!("{body:#}\n"))
}

fn error(status: &str, reason: &str) -> Message {
    Message::response(
        status,
        &[("Content-Type", "application/json")],
        &format!("{:#}\n", json!({ "error": reason })),
    )
}
