//! Definition of one service: which tunnel it starts, and how.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::instance::{Instance, tunnel_name};
use crate::system::paths::{self, Paths};

/// A tunnel that starts at login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Name of the instance.
    pub name: String,
    /// Id of the instance.
    pub id: String,
    /// Value of `--on-demand`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<String>,
}

/// Start of the comment with a [`Definition`] in a service's file.
const MARK: &str = "soong-service: ";

/// Program, arguments and environment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Path of `soong`.
    pub program: PathBuf,
    /// Variables in which the user's shell may differ from a service.
    pub environment: Vec<(String, String)>,
    /// File for messages from before the tunnel has its own log, where the system keeps none.
    pub output: PathBuf,
}

impl Definition {
    /// Returns the definition for `instance`.
    pub fn new(instance: &Instance, on_demand: Option<&String>) -> Self {
        Self { name: instance.name.clone(), id: instance.id.clone(), on_demand: on_demand.cloned() }
    }

    /// Returns the name of the service, of `[A-Za-z0-9._-]`. Unit names may contain `@`, but with another meaning.
    pub fn label(&self) -> String {
        format!("soong-{}", tunnel_name(&self.name).replace('@', "-"))
    }

    /// Returns true if `wanted` means its instance: by name or id.
    pub fn is_meant(&self, wanted: &str) -> bool {
        self.name == wanted || self.id == wanted
    }

    /// Returns the arguments of `soong`.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = ["tunnel", "start", "--foreground", "--keep-trying"].map(str::to_owned).to_vec();
        words.push(format!("--instance-id={}", self.id));
        words.extend(self.on_demand.as_ref().map(|idle| format!("--on-demand={idle}")));
        words
    }

    /// Returns the text of the comment that [`Definition::read`] finds.
    pub fn comment(&self) -> String {
        // An XML comment ends with the first double hyphen.
        let json = serde_json::to_string(self).unwrap_or_default().replace("--", "-\\u002d");
        format!("{MARK}{json}")
    }

    /// Returns the definition in the `text` of a service's file; `None` for a file of another program.
    pub fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once(MARK)?;
        serde_json::Deserializer::from_str(rest).into_iter().next()?.ok()
    }
}

impl Launch {
    /// Returns how a service of this user starts soong.
    pub fn of_user(definition: &Definition, paths: &Paths) -> Option<Self> {
        let output = paths.logs().join(format!("{}.log", definition.label()));
        Some(Self { program: program()?, environment: paths::service_environment(), output })
    }
}

/// Returns the path of `soong` that outlives an upgrade: as `PATH` has it, not as links resolve, since a link can lead to
/// a directory of one version.
fn program() -> Option<PathBuf> {
    let own = paths::sibling("soong").ok()?;
    let is_own = |found: &PathBuf| std::fs::canonicalize(found).is_ok_and(|found| found == own);
    let found = paths::search_path().into_iter().map(|directory| directory.join("soong")).find(is_own);
    Some(found.unwrap_or(own))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A definition with everything that a file format could take for its own.
    pub fn hostile() -> Definition {
        Definition {
            name: "my -- \"$box\" <&> %n \\".into(),
            id: "--x$y\n'`id`\u{1b}é".into(),
            on_demand: Some("1h 30m".into()),
        }
    }

    #[test]
    fn a_definition_is_found_again() {
        for definition in [hostile(), Definition { name: "dev".into(), id: "a1".into(), on_demand: None }] {
            let comment = definition.comment();
            assert!(!comment.contains("--") && !comment.contains('\n'), "{comment}");
            assert_eq!(Definition::read(&format!("x\n# {comment}\ny")), Some(definition));
        }
        assert_eq!(Definition::read("[Unit]\n"), None);
    }

    #[test]
    fn a_label_is_a_plain_word() {
        let label = hostile().label();
        assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)), "{label}");
    }
}
