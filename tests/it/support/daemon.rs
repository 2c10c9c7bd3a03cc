//! The status daemon of an instance: it wants its token, says when the lease ends, and prolongs it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::config::{Config, forward};
use super::http::{Gate, Reply, Request, Server};
use super::instance::Instance;
use super::run::Run;
use super::sandbox::Sandbox;

/// Token that a test's daemon expects.
pub const TOKEN: &str = "daemon-t0ken_4711-abcdefghijklmnopqrstuv";

/// A running daemon; it ends when this is dropped.
pub struct Daemon {
    pub server: Server,
    lease: Arc<Mutex<Lease>>,
}

struct Lease {
    /// Seconds since the epoch.
    end: u64,
    /// How many hours there are left to grant.
    grants: u64,
}

/// The GPU load that the daemon tells of.
pub const GPU_LOAD: u64 = 37;
/// The model that the daemon tells of.
pub const MODEL: &str = "qwen2.5-coder";

impl Daemon {
    /// A daemon whose instance has some hours left, and which grants at most `grants` more.
    pub fn start(grants: u64) -> Self {
        Self::behind(grants, None)
    }

    /// One that answers `POST /extend` no sooner than `gate` is open.
    pub fn behind(grants: u64, gate: Option<Gate>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let lease = Arc::new(Mutex::new(Lease { end: now + 5 * 3600 + 1800, grants }));
        let shared = Arc::clone(&lease);
        let server = Server::start(move |request| {
            if let (Some(gate), true) = (&gate, request.line == "POST /extend") {
                gate.pass();
            }
            shared.lock().unwrap().answer(request)
        });
        Self { server, lease }
    }

    /// When the lease ends, in seconds since the epoch.
    pub fn lease_end(&self) -> u64 {
        self.lease.lock().unwrap().end
    }

    /// Lets the lease end in this many seconds.
    pub fn end_in(&self, seconds: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.lease.lock().unwrap().end = now + seconds;
    }

    /// A sandbox whose instance `dev` is `instance` with this daemon on it. The token is stored.
    pub fn sandbox(&self, instance: &Instance) -> Sandbox {
        let sandbox = on_port(instance, self.server.port);
        sandbox.store_secrets(&format!("[daemon]\ntoken = \"{TOKEN}\"\n"));
        sandbox
    }
}

/// A sandbox that takes `port` of `instance` for its status daemon's.
pub fn on_port(instance: &Instance, port: u16) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config: &mut Config| {
        let local = config.local[2];
        config.set(["services", "status"], forward(port, local));
    });
    sandbox
}

/// `soong tunnel start`, whatever it forwards.
pub fn start(sandbox: &Sandbox) -> Run<'_> {
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started")
}

impl Lease {
    fn answer(&mut self, request: &Request) -> Reply {
        if request.line == "GET /health" {
            return Reply::ok(r#"{"status":"healthy"}"#);
        }
        if request.authorization != format!("Bearer {TOKEN}") {
            return Reply::error("401 Unauthorized", r#"{"error":"unauthorized"}"#);
        }
        match request.line.as_str() {
            "GET /status" => Reply::ok(format!(
                r#"{{"shutdown_at":"{}","gpu_utilization":{GPU_LOAD},"model_loaded":"{MODEL}","idle_minutes":3}}"#,
                self.shown_end()
            )),
            "POST /extend" => {
                let wanted = request.body.strip_prefix("hours=").and_then(|hours| hours.parse().ok());
                let Some(wanted) = wanted.filter(|hours: &u64| *hours > 0) else {
                    return Reply::error("400 Bad Request", r#"{"error":"hours must be positive"}"#);
                };
                let hours = wanted.min(self.grants);
                self.grants -= hours;
                self.end += hours * 3600;
                Reply::ok(format!(
                    r#"{{"extended_by_hours":{hours},"new_shutdown_at":"{}"}}"#,
                    self.shown_end()
                ))
            }
            _ => Reply::error("404 Not Found", r#"{"error":"not found"}"#),
        }
    }

    fn shown_end(&self) -> String {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.end)).to_string()
    }
}
