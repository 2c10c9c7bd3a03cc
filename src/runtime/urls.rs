//! URLs of the services of a running tunnel, and the environment variables that hold them.

use crate::runtime::forward::{Forward, ServicePort};

/// Service with OpenAI's API, whose URL goes into [`OPENAI_VARIABLE`].
const OPENAI_SERVICE: &str = "sglang";
/// Variable that OpenAI's client libraries read.
const OPENAI_VARIABLE: &str = "OPENAI_BASE_URL";

/// Returns the URL of `service`.
pub fn address(service: ServicePort<'_>) -> String {
    format!("http://localhost:{}", service.local)
}

/// Returns the variables for the services of `forwards`: `SOONG_NAME_URL` each, and OpenAI's. soong itself reads no
/// variable of that form, which would send its own requests to the instance.
pub fn variables(forwards: &[Forward]) -> Vec<(String, String)> {
    let services = || forwards.iter().filter_map(Forward::service);
    let own = services().map(|service| (variable(service.name), address(service)));
    let openai = services().find(|service| service.name == OPENAI_SERVICE);
    let openai = openai.map(|service| (OPENAI_VARIABLE.to_owned(), format!("{}/v1", address(service))));
    own.chain(openai).collect()
}

fn variable(service: &str) -> String {
    format!("SOONG_{}_URL", service.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_service_has_a_variable_and_openais_clients_find_the_model() {
        let forward = |service: &str, local| Forward::of_service(service, local, 1);
        let found = variables(&[forward("sglang", 8001), forward("my-web", 81)]);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, url)| (name.as_str(), url.as_str())).collect();
        assert_eq!(
            found,
            [
                ("SOONG_SGLANG_URL", "http://localhost:8001"),
                ("SOONG_MY_WEB_URL", "http://localhost:81"),
                ("OPENAI_BASE_URL", "http://localhost:8001/v1"),
            ]
        );
        assert!(variables(&[forward("web", 1)]).iter().all(|(name, _)| name != "OPENAI_BASE_URL"));
    }

    /// Returns every name in the sources that begins with `SOONG_`.
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
