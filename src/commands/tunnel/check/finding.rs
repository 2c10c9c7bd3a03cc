//! Results of checks.

use serde::Serialize;

use crate::config::forwarding::Listen;
use crate::config::forwarding::display::path_of;
use crate::runtime::forward::Forward;
use crate::terminal::printable;

/// Result of checking one service or forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the service, or the forward as it is written.
    pub service: String,
    /// Local end.
    pub local: Listen,
    /// Both, printable.
    #[serde(skip)]
    pub shown: String,
    /// Condition.
    #[serde(rename = "state")]
    pub condition: Condition,
    /// HTTP status code of its answer.
    pub http_status: Option<u16>,
    /// Model that it serves. Unchecked text.
    pub model: Option<String>,
    /// Reason of a fault. Unchecked text.
    pub reason: Option<String>,
}

/// Condition of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It answers over HTTP, with another status than a server error.
    Answering,
    /// It accepts connections and is not HTTP.
    Open,
    /// The link is up, and the service does not answer.
    NotAnswering,
    /// Unknown, as the link is down.
    LinkDown,
}

impl Finding {
    /// Returns the result for `forward`, without further facts.
    pub(super) fn new(forward: &Forward, condition: Condition) -> Self {
        let shown = match forward.service() {
            Some(service) => format!("localhost:{} {}", service.local, service.name),
            None => path_of(&forward.spec),
        };
        Self {
            service: forward.to_string(),
            local: forward.spec.listen(),
            shown: printable(&shown).into_owned(),
            condition,
            http_status: None,
            model: None,
            reason: None,
        }
    }

    /// Returns true if the service answers requests.
    pub fn is_well(&self) -> bool {
        matches!(self.condition, Condition::Answering | Condition::Open)
    }

    /// Returns the result in words, printable.
    pub fn text(&self) -> String {
        let status = self.http_status.map(|status| format!("HTTP {status}"));
        let model = self.model.as_ref().map(|model| format!("model {}", printable(model)));
        let reason = self.reason.as_ref().map(|reason| printable(reason).into_owned());
        let details: Vec<String> = [status, model, reason].into_iter().flatten().collect();
        let what = match self.condition {
            Condition::Answering => "answering",
            Condition::Open => "open",
            Condition::NotAnswering => "not answering",
            Condition::LinkDown => "link down",
        };
        if details.is_empty() { what.to_owned() } else { format!("{what}: {}", details.join(", ")) }
    }
}
