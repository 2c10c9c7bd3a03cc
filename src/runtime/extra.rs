//! Forwards of a running tunnel besides its services: `forwards.toml`, beside the state. A separate file, as
//! they change while the state does not.

use serde::{Deserialize, Serialize};

use crate::config::forwarding::ForwardSpec;
use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::system::paths;
use crate::toml_text;

/// Longest file, in bytes.
const FILE_MAX: u64 = 256 << 10;

/// A forward with its origin and condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// The forward.
    #[serde(flatten)]
    pub spec: ForwardSpec,
    /// Its origin.
    pub origin: Origin,
    /// Reason why it does not work although the tunnel is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    forwards: Vec<Extra>,
}

impl Extra {
    /// Returns a forward without a known fault.
    pub fn new(spec: ForwardSpec, origin: Origin) -> Self {
        Self { spec, origin, error: None }
    }
}

/// Writes the forwards of the tunnel in `directory`.
pub fn write(directory: &Directory, extras: &[Extra]) -> Result<()> {
    let document = Document { forwards: extras.to_vec() };
    let text = toml::to_string(&document)
        .map_err(|error| Error::failed(format!("cannot write the forwards: {error}")))?;
    paths::write_atomically(&directory.forwards_file(), &text)
}

/// Returns the last written forwards; empty if they cannot be read.
pub fn read(directory: &Directory) -> Vec<Extra> {
    let text = paths::read_own(&directory.forwards_file(), FILE_MAX).unwrap_or_default();
    toml_text::parse::<Document>(&text).unwrap_or_default().forwards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let extras: Vec<Extra> = ["local 1:[::1]:2", "remote /a/b:h:3", "socks 4"]
            .iter()
            .map(|text| Extra::new(text.parse().unwrap(), Origin::Command))
            .collect();
        let mut extras = extras;
        extras[1].error = Some("no \"luck\"".into());
        let text = toml::to_string(&Document { forwards: extras.clone() }).unwrap();
        assert_eq!(toml_text::parse::<Document>(&text).unwrap().forwards, extras, "{text}");
    }
}
