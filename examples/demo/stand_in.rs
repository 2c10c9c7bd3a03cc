//! A stand-in for the status daemon, where the real one does not run: it is a Linux program.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::http::Message;
use crate::services::{MODEL, error, method_and_path, ok};

const HOUR: Duration = Duration::from_secs(3600);
const FIRST_LEASE: Duration = Duration::from_secs(4 * 3600);
/// More hours than this are not granted at once.
const EXTENSION_MAX: u32 = 720;

/// The stand-in.
#[derive(Clone)]
pub struct StandIn {
    token: Arc<str>,
    shutdown: Arc<Mutex<SystemTime>>,
}

impl StandIn {
    /// A daemon that asks for `token`.
    pub fn new(token: &str) -> Self {
        Self { token: token.into(), shutdown: Arc::new(Mutex::new(SystemTime::now() + FIRST_LEASE)) }
    }

    /// Answers a request.
    pub fn answer(&self, request: &Message) -> Message {
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
                None => error("400 Bad Request", "hours must be a number from 1 to 720"),
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
