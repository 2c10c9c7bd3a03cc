//! A forward of a tunnel: one type from the command line to the listener, in the state and in output.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::forwarding::display::short;
use crate::config::forwarding::{ForwardSpec, Listen, Target};
use crate::terminal::printable;

/// A forward with its origin and condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Forward {
    /// Name of the service whose port it forwards; `None` for every other forward.
    service: Option<String>,
    /// Its ends.
    pub spec: ForwardSpec,
    /// Its origin.
    pub origin: Origin,
    /// Reason why it does not work although the tunnel is up.
    pub error: Option<String>,
}

/// Origin of a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The config.
    Config,
    /// A command line.
    Command,
}

/// A service with its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServicePort<'a> {
    /// Name of the service.
    pub name: &'a str,
    /// Port on this machine.
    pub local: u16,
    /// Port on the instance.
    pub remote: u16,
}

/// A forward in `state.toml` and JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Row {
    Service {
        service: String,
        local: u16,
        remote: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Other {
        #[serde(flatten)]
        spec: ForwardSpec,
        origin: Origin,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

impl Forward {
    /// Returns the forward of the port `remote` of a service to the port `local` of this machine.
    pub fn of_service(name: impl Into<String>, local: u16, remote: u16) -> Self {
        let target = Target::Port("localhost".to_owned(), remote);
        let spec = ForwardSpec::Local(Listen::Port(local), target);
        Self { service: Some(name.into()), spec, origin: Origin::Config, error: None }
    }

    /// Returns a forward that is not a service's.
    pub fn other(spec: ForwardSpec, origin: Origin) -> Self {
        Self { service: None, spec, origin, error: None }
    }

    /// Returns the service; `None` for other forwards.
    pub fn service(&self) -> Option<ServicePort<'_>> {
        match (&self.service, &self.spec) {
            (Some(name), ForwardSpec::Local(Listen::Port(local), Target::Port(_, remote))) => {
                Some(ServicePort { name, local: *local, remote: *remote })
            }
            _ => None,
        }
    }

    /// Returns true if it forwards a service.
    pub fn is_service(&self) -> bool {
        self.service.is_some()
    }

    /// Returns true if it forwards the service `name`.
    pub fn is_for(&self, name: &str) -> bool {
        self.service.as_deref() == Some(name)
    }

    /// Returns the option of `soong tunnel start` that moves it to the local port `port`, quoted for a shell.
    pub fn flag(&self, port: u16) -> String {
        match self.service.as_deref() {
            Some(name @ ("sglang" | "n8n" | "status")) => format!("--{name}-port {port}"),
            Some(name) => format!("--port {name}={port}"),
            None => self.spec.flag(port),
        }
    }

    /// Returns the option of `soong tunnel start` for it as it is, quoted for a shell.
    pub fn option(&self) -> String {
        self.service().map_or_else(|| self.spec.option(), |service| self.flag(service.local))
    }

    /// Returns it for a list: `sglang:8000`, `5432->db:5432`.
    pub fn short(&self) -> String {
        match self.service() {
            Some(service) => printable(&format!("{}:{}", service.name, service.local)).into_owned(),
            None => short(&self.spec),
        }
    }
}

/// Formats the name of its service, or its ends.
impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Some(name) => f.write_str(name),
            None => self.spec.fmt(f),
        }
    }
}

impl From<Row> for Forward {
    fn from(row: Row) -> Self {
        match row {
            Row::Service { service, local, remote, error } => {
                Self { error, ..Self::of_service(service, local, remote) }
            }
            Row::Other { spec, origin, error } => Self { error, ..Self::other(spec, origin) },
        }
    }
}

impl From<Forward> for Row {
    fn from(forward: Forward) -> Self {
        let service = forward.service().map(|port| (port.name.to_owned(), port.local, port.remote));
        let Forward { spec, origin, error, .. } = forward;
        match service {
            Some((service, local, remote)) => Self::Service { service, local, remote, error },
            None => Self::Other { spec, origin, error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toml_text;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Document {
        forwards: Vec<Forward>,
    }

    #[test]
    fn forwards_are_read_as_they_were_written() {
        let mut forwards = vec![Forward::of_service("sglang", 8001, 8000)];
        forwards.extend(
            ["local 1:[::1]:2", "remote /a/b:h:3", "socks 4", "local 8000:localhost:8000"]
                .map(|text| Forward::other(text.parse().unwrap(), Origin::Command)),
        );
        forwards[1].error = Some("no \"luck\"".into());
        let document = Document { forwards };
        let text = toml::to_string(&document).unwrap();
        assert_eq!(toml_text::parse::<Document>(&text).unwrap(), document, "{text}");
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document, "{json}");
    }

    #[test]
    fn a_service_is_written_with_its_name_and_ports() {
        let json = serde_json::to_string(&Forward::of_service("web", 8080, 80)).unwrap();
        assert_eq!(json, r#"{"service":"web","local":8080,"remote":80}"#);
    }

    #[test]
    fn options_are_named_as_they_are_typed() {
        assert_eq!(Forward::of_service("n8n", 5678, 5678).flag(5679), "--n8n-port 5679");
        assert_eq!(Forward::of_service("web", 80, 80).flag(81), "--port web=81");
        let other = Forward::other("local 1:h:2".parse().unwrap(), Origin::Command);
        assert_eq!(other.flag(3), "--forward 3:h:2");
    }
}
