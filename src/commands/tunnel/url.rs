//! `soong tunnel url` and `env`: where the services of a running tunnel are, for programs.

use super::arguments::{EnvArguments, Shell, UrlArguments};
use crate::error::{Error, Result};
use crate::runtime::registry::{self, Running};
use crate::runtime::state::{Forward, State};
use crate::suggest;
use crate::system::paths::Paths;
use crate::terminal::{print, printable};

/// The service that speaks OpenAI's API, and so gives [`OPENAI_VARIABLE`] its value.
const OPENAI_SERVICE: &str = "sglang";
/// The variable that OpenAI's client libraries read.
const OPENAI_VARIABLE: &str = "OPENAI_BASE_URL";

/// Prints the URL of one service.
pub fn url(arguments: &UrlArguments, paths: &Paths) -> Result<()> {
    let state = running(arguments.instance_id.as_deref(), paths)?;
    show(&format!("{}\n", address(forward(&state, &arguments.service)?)))
}

/// The forward of the tunnel for the service `wanted`.
pub fn forward<'a>(state: &'a State, wanted: &str) -> Result<&'a Forward> {
    state.forwards.iter().find(|forward| forward.service == wanted).ok_or_else(|| {
        let names = || state.forwards.iter().map(|forward| forward.service.as_str());
        let hint = suggest::did_you_mean(wanted, names())
            .unwrap_or_else(|| format!("it carries: {}", names().collect::<Vec<_>>().join(", ")));
        Error::failed(format!("the tunnel does not carry '{}'", printable(wanted))).with_hint(hint)
    })
}

/// Prints commands for a shell that set a variable per service.
pub fn env(arguments: &EnvArguments, paths: &Paths) -> Result<()> {
    let state = running(arguments.instance_id.as_deref(), paths)?;
    let lines = variables(&state.forwards);
    show(&lines.iter().map(|(name, value)| assignment(name, value, arguments.shell)).collect::<String>())
}

/// What the running tunnel that is meant says of itself.
fn running(wanted: Option<&str>, paths: &Paths) -> Result<State> {
    let running = registry::survey(paths)?.take(wanted)?;
    let not_running = || {
        let error = match wanted {
            Some(name) => Error::failed(format!("no tunnel to '{}' is running", printable(name))),
            None => Error::failed("no tunnel is running"),
        };
        error.with_hint("start it: soong tunnel start")
    };
    running.and_then(|running: Running| running.state).ok_or_else(not_running)
}

fn address(forward: &Forward) -> String {
    format!("http://localhost:{}", forward.local)
}

/// The variables for `forwards`: `SOONG_NAME_URL` each, and the one that OpenAI's clients read. soong
/// reads no variable of that form: it would lead its own programs to the instance.
pub fn variables(forwards: &[Forward]) -> Vec<(String, String)> {
    let own = |forward: &Forward| (variable(&forward.service), address(forward));
    let openai = forwards.iter().find(|forward| forward.service == OPENAI_SERVICE);
    let openai = openai.map(|forward| (OPENAI_VARIABLE.to_owned(), format!("{}/v1", address(forward))));
    forwards.iter().map(own).chain(openai).collect()
}

fn variable(service: &str) -> String {
    format!("SOONG_{}_URL", service.to_ascii_uppercase().replace('-', "_"))
}

/// Names and values are made of characters that mean nothing to any of these shells.
fn assignment(name: &str, value: &str, shell: Shell) -> String {
    match shell {
        Shell::Bash | Shell::Zsh | Shell::Sh => format!("export {name}={value}\n"),
        Shell::Fish => format!("set -gx {name} {value}\n"),
    }
}

fn show(text: &str) -> Result<()> {
    print(text).map_err(Error::output)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_service_has_a_variable_and_openais_clients_find_the_model() {
        let forward = |service: &str, local| Forward { service: service.into(), local, remote: 1 };
        let variables = variables(&[forward("sglang", 8001), forward("my-web", 81)]);
        let lines: Vec<String> = variables.iter().map(|(n, v)| assignment(n, v, Shell::Fish)).collect();
        assert_eq!(
            lines.concat(),
            "set -gx SOONG_SGLANG_URL http://localhost:8001\n\
             set -gx SOONG_MY_WEB_URL http://localhost:81\n\
             set -gx OPENAI_BASE_URL http://localhost:8001/v1\n"
        );
        assert_eq!(assignment("A", "b", Shell::Zsh), "export A=b\n");
        assert!(
            crate::commands::tunnel::url::variables(&[forward("web", 1)])
                .iter()
                .all(|(name, _)| name != "OPENAI_BASE_URL")
        );
    }

    /// Every name in the sources that begins with `SOONG_`.
    fn names_in_sources() -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut names, mut left) = (BTreeSet::new(), vec![root.join("src"), root.join("shell")]);
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = String::from_utf8(fs::read(path).unwrap()).unwrap();
            let is_end = |c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            let starts = text.match_indices("SOONG_").map(|(at, _)| &text[at..]);
            names.extend(starts.map(|rest| rest[..rest.find(is_end).unwrap_or(rest.len())].to_owned()));
        }
        names
    }

    #[test]
    fn no_service_sets_a_variable_that_soong_reads() {
        let names = names_in_sources();
        assert!(names.contains("SOONG_CONFIG") && names.contains("SOONG_LAMBDA_ENDPOINT"), "{names:?}");
        let of_services: Vec<&String> = names.iter().filter(|name| name.ends_with("_URL")).collect();
        // In examples and in this file.
        assert_eq!(of_services, ["SOONG_MY_WEB_URL", "SOONG_NAME_URL", "SOONG_SGLANG_URL"]);
        for service in ["config", "api", "state", "x", "prompt", "lambda-endpoint"] {
            assert!(!names.contains(&variable(service)), "{service}");
        }
    }
}
