//! Address of the API; checks that the key may be sent there.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::error::{Error, Result};
use crate::terminal::printable;

/// Form of an address, for hints.
const EXAMPLE: &str = "https://cloud.lambda.ai/api/v1";

/// An address that may receive the API key: encrypted, or on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    encrypted: bool,
}

impl Endpoint {
    /// Checks the address `url`, which `origin` gave: a variable or a setting.
    pub fn parse(url: &str, origin: &str) -> Result<Self> {
        let refused = |why: &str| {
            Err(Error::failed(format!("{origin} is not a usable address: {why}"))
                .with_hint(format!("write it like {EXAMPLE}")))
        };
        let Ok(uri) = url.parse::<Uri>() else {
            return refused("it is not a URL");
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return refused("it is not a URL with a scheme and a host");
        };
        // Not shown: the text before the @ can be a password.
        if authority.as_str().contains('@') {
            return refused("it contains a user name or password");
        }
        if url.contains(['?', '#']) {
            return refused("it contains a query or fragment");
        }
        let encrypted = match scheme {
            "https" => true,
            "http" if is_this_machine(authority.host()) => false,
            "http" => {
                return refused(
                    "http would send the API key unencrypted; it is allowed for this machine only",
                );
            }
            other => return refused(&format!("{} is not https", printable(other))),
        };
        Ok(Self { base: url.trim_end_matches('/').to_owned(), encrypted })
    }

    /// Returns the address of the resource `path`, such as `instances`.
    pub fn resource(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Returns the host and port, for messages.
    pub fn host(&self) -> &str {
        self.base.split('/').nth(2).unwrap_or_default()
    }

    /// Returns true if requests there are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_below_the_address() {
        let resource = |url| Endpoint::parse(url, "x").unwrap().resource("instances");
        assert_eq!(resource("https://a.example/v2/"), "https://a.example/v2/instances");
        assert_eq!(resource("http://127.0.0.1:8/x"), "http://127.0.0.1:8/x/instances");
        assert_eq!(Endpoint::parse("http://127.0.0.1:8/x", "x").unwrap().host(), "127.0.0.1:8");
    }

    #[test]
    fn a_key_travels_encrypted_or_not_at_all() {
        for url in ["http://localhost:1", "http://[::1]:1/api", "http://127.9.9.9", "https://10.0.0.1"] {
            assert!(Endpoint::parse(url, "x").is_ok(), "{url}");
        }
        for url in [
            "http://cloud.lambda.ai/api/v1",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "https://user:s3cret@host/",
            "https://host/?a=b",
            "https://host/#x",
            "ftp://host",
            "cloud.lambda.ai",
            "",
            "https://",
            "https://a b",
        ] {
            let error = Endpoint::parse(url, "lambda.base-url").unwrap_err();
            assert!(error.to_string().starts_with("lambda.base-url is not a usable address: "), "{url}");
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
