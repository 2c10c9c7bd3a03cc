//! The page for people: one file, which may load and run nothing but what is in it.

use std::sync::OnceLock;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// `GET /`: the page without data. Its script asks for the token and fetches `/status` with it.
pub(super) async fn page() -> Response {
    static POLICY: OnceLock<String> = OnceLock::new();
    let policy = POLICY.get_or_init(content_security_policy);
    let mut response = super::with_type(StatusCode::OK, "text/html; charset=utf-8", PAGE.to_owned());
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// Allows the style and the script of the page by their hashes, and requests to its own origin.
fn content_security_policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("<style>", "</style>"),
        hash("<script>", "</script>")
    )
}

/// The hash of what stands between `start` and `end` in the page.
fn hash(start: &str, end: &str) -> String {
    let text = PAGE.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(text, _)| text);
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_allows_what_is_in_it() {
        for mark in ["<style>", "</style>", "<script>", "</script>"] {
            assert_eq!(PAGE.matches(mark).count(), 1, "{mark}");
        }
        for foreign in ["http://", "https://", " src=", "@import", "url(", "innerHTML", " onclick", " style="]
        {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
        let empty = format!("sha256-{}", STANDARD.encode(Sha256::digest(b"")));
        let policy = content_security_policy();
        assert!(!policy.contains(&empty) && !policy.contains("unsafe"), "{policy}");
    }
}
