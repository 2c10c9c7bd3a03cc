//! Meaning of a KEY on the command line: a key of `config.toml`, a table of it, or a secret.

use crate::config::check::{self, Depth, covers};
use crate::config::credentials;
use crate::config::schema::{KEYS, Key};
use crate::error::{Error, Result};
use crate::suggest;
use crate::terminal::printable;

/// Meaning of a KEY.
#[derive(Debug, Clone)]
pub enum Place {
    /// A key of `config.toml`.
    Key(Vec<String>, &'static Key),
    /// A table of `config.toml` that the user named, such as `instances.dev`.
    Table(Vec<String>),
    /// A secret.
    Secret(SecretName),
}

/// Names of the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretName {
    /// API key of Lambda Cloud.
    ApiKey,
    /// API key of RunPod.
    RunpodApiKey,
    /// Token of the status daemon.
    DaemonToken,
}

impl SecretName {
    /// All secrets.
    pub const ALL: [Self; 3] = [Self::ApiKey, Self::RunpodApiKey, Self::DaemonToken];

    /// Returns its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => credentials::API_KEY,
            Self::RunpodApiKey => credentials::RUNPOD_API_KEY,
            Self::DaemonToken => credentials::DAEMON_TOKEN,
        }
    }

    /// Returns its place in `credentials.toml`.
    pub fn segments(self) -> Vec<String> {
        self.name().split('.').map(str::to_owned).collect()
    }
}

/// Parses a KEY: names joined by dots, quoted as in TOML if they contain other characters than letters,
/// digits, `-` and `_`.
pub fn parse(typed: &str) -> Result<Place> {
    resolve(segments(typed)?)
}

/// Resolves `segments`.
pub fn resolve(segments: Vec<String>) -> Result<Place> {
    let place: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let Some(secret) = SecretName::ALL.into_iter().find(|secret| secret.segments() == segments) {
        return Ok(Place::Secret(secret));
    }
    if let Some((message, hint)) = check::name_fault(&place) {
        let error = Error::usage(message);
        return Err(match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        });
    }
    if let Some(key) = KEYS.iter().find(|key| covers(key.path, &place) == Some(Depth::Whole)) {
        return Ok(Place::Key(segments, key));
    }
    let is_table = KEYS.iter().any(|key| covers(key.path, &place) == Some(Depth::Part));
    if is_table { Ok(Place::Table(segments)) } else { Err(unknown(&segments)) }
}

fn segments(typed: &str) -> Result<Vec<String>> {
    let keys = toml_edit::Key::parse(typed).map_err(|_| {
        Error::usage(format!("'{}' is not a key", printable(typed)))
            .with_hint("write it as ssh.user or instances.NAME.host")
            .with_hint("quote a name with other characters: 'instances.\"my box\".host'")
    })?;
    Ok(keys.iter().map(|key| key.get().to_owned()).collect())
}

fn unknown(segments: &[String]) -> Error {
    let error = Error::usage(format!("unknown key '{}'", shown(segments)));
    let known = candidates(segments);
    if let Some(meant) = nearest(segments, &known) {
        return error.with_hint(format!("did you mean '{}'?", shown(&meant)));
    }
    // `port` alone means ssh.port to most users.
    let same_end: Vec<String> =
        known.iter().filter(|key| key.last() == segments.last()).map(|key| shown(key)).collect();
    if same_end.is_empty() {
        error.with_hint("list all keys: soong configure list")
    } else {
        error.with_hint(format!("available: {}", same_end.join(", ")))
    }
}

/// Returns `segments` with the first unknown name replaced by the most similar known one.
fn nearest(segments: &[String], known: &[Vec<String>]) -> Option<Vec<String>> {
    let along = |depth: usize| known.iter().filter(move |key| key.starts_with(&segments[..depth]));
    let depth = (0..segments.len()).rev().find(|depth| along(*depth).next().is_some())?;
    let names = along(depth).filter_map(|key| key.get(depth)).map(String::as_str);
    let name = *suggest::nearest(&segments[depth], names).first()?;
    let mut meant = segments.to_vec();
    name.clone_into(&mut meant[depth]);
    known.iter().any(|key| key.starts_with(&meant)).then_some(meant)
}

/// Returns every key; names that the user chooses are taken from `segments`.
fn candidates(typed: &[String]) -> Vec<Vec<String>> {
    let filled = |path: &str| -> Vec<String> {
        let mut along = true;
        let names = path.split('.').enumerate().map(|(index, segment)| {
            let typed = typed.get(index).filter(|_| along);
            along = typed.is_some_and(|typed| segment == "*" || segment == typed);
            match (segment, typed) {
                ("*", Some(name)) => name.clone(),
                ("*", None) => "NAME".to_owned(),
                (segment, _) => segment.to_owned(),
            }
        });
        names.collect()
    };
    let secrets = SecretName::ALL.iter().map(|secret| secret.segments());
    KEYS.iter().map(|key| filled(key.path)).chain(secrets).collect()
}

/// Returns the segments of a place as typed and shown.
pub fn shown(segments: &[String]) -> String {
    let joined = segments.iter().map(|segment| quoted(segment)).collect::<Vec<_>>().join(".");
    printable(&joined).into_owned()
}

/// Returns a name as written in a KEY.
fn quoted(name: &str) -> String {
    toml_edit::Key::new(name).display_repr().into_owned()
}

/// Returns the keys of the table at `segments`, for "name one of its keys: …".
pub fn keys_of(segments: &[String]) -> String {
    let below = candidates(segments).into_iter().filter(|key| key.starts_with(segments));
    below.map(|key| shown(&key)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(typed: &str) -> String {
        let error = parse(typed).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        format!("{error} | {}", error.hints().join(" | "))
    }

    #[test]
    fn keys_tables_and_secrets_are_told_apart() {
        for key in ["ssh.port", "services.comfyui", "instances.dev.host", "instances.\"a b\".user"] {
            assert!(matches!(parse(key), Ok(Place::Key(..))), "{key}");
        }
        for table in ["ssh", "instances", "instances.dev"] {
            assert!(matches!(parse(table), Ok(Place::Table(_))), "{table}");
        }
        assert!(matches!(parse("lambda.api-key"), Ok(Place::Secret(SecretName::ApiKey))));
        assert!(matches!(parse("daemon.token"), Ok(Place::Secret(SecretName::DaemonToken))));
    }

    #[test]
    fn what_does_not_exist_is_answered_with_what_does() {
        assert_eq!(refused("ssh.prot"), "unknown key 'ssh.prot' | did you mean 'ssh.port'?");
        assert_eq!(refused("lambda.apikey"), "unknown key 'lambda.apikey' | did you mean 'lambda.api-key'?");
        assert!(refused("port").contains("ssh.port"));
        assert!(refused("instances.dev.hots").contains("'instances.dev.host'"));
        assert!(refused("instances.\"a b\".hots").contains("'instances.\"a b\".host'"));
        assert!(refused("zzz").contains("soong configure list"));
        assert!(refused("a b").contains("is not a key"));
        assert!(refused("").contains("is not a key"));
        assert!(refused("services.A_b").starts_with("services: bad name \"A_b\" | service names"));
        assert!(refused("ssh.port.x").starts_with("unknown key"));
    }

    #[test]
    fn tables_name_their_keys() {
        let Ok(Place::Table(segments)) = parse("instances.dev") else { panic!("a table") };
        assert!(keys_of(&segments).starts_with("instances.dev.host, instances.dev.id"));
    }
}
