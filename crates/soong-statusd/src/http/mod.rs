//! The requests that the daemon answers, over HTTP/1.1 on one port.

mod accept;
mod page;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::clock::{milliseconds, rfc3339};
use crate::guard::{Guard, TooLate};
use crate::status;

pub use accept::serve;

/// The longest body that is read, in bytes.
const BODY_MAX: usize = 4096;
/// A month. More is a slip of the finger.
const HOURS_MAX: f64 = 720.0;

type Shared = State<Arc<Guard>>;
type Fields = Result<Form<HashMap<String, String>>, FormRejection>;

/// The routes.
fn router(guard: Arc<Guard>) -> Router {
    Router::new()
        .route("/health", get(async || answer(StatusCode::OK, &json!({ "status": "healthy" }))))
        .route(
            "/status",
            get(async |_: Authorized, State(guard): Shared| answer(StatusCode::OK, &status::json(&guard))),
        )
        .route("/metrics", get(metrics))
        .route("/extend", post(extend))
        .route("/activity", post(activity))
        .route("/keep", post(keep))
        .route("/", get(page::page))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "not found"))
        .method_not_allowed_fallback(async || refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(secure))
        .with_state(guard)
}

/// Adds the headers that all answers have.
async fn secure(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn answer(status: StatusCode, body: &Value) -> Response {
    with_type(status, "application/json", format!("{body}\n"))
}

fn with_type(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    answer(status, &json!({ "error": reason }))
}

/// Proof that a request carries the token.
struct Authorized;

impl FromRequestParts<Arc<Guard>> for Authorized {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, guard: &Arc<Guard>) -> Result<Self, Response> {
        if bearer(&parts.headers).is_some_and(|token| guard.config.token.is(token)) {
            return Ok(Self);
        }
        let mut response = refuse(StatusCode::UNAUTHORIZED, "unauthorized");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Err(response)
    }
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

async fn metrics(_: Authorized, State(guard): Shared) -> Response {
    with_type(StatusCode::OK, "text/plain; version=0.0.4", status::metrics(&guard))
}

async fn extend(_: Authorized, State(guard): Shared, fields: Fields) -> Response {
    let hours = field(&fields, "hours").and_then(|text| text.parse::<f64>().ok());
    let Some(hours) = hours.filter(|hours| *hours > 0.0 && *hours <= HOURS_MAX) else {
        return refuse(StatusCode::BAD_REQUEST, "hours must be a number above 0 and at most 720");
    };
    // Hours with a few decimals stand for whole seconds.
    let wanted = Duration::from_secs(Duration::from_secs_f64(hours * 3600.0 + 0.5).as_secs().max(1));
    match guard.extend(wanted) {
        Err(TooLate) => too_late(),
        Ok((extension, snapshot)) => {
            let mut body = json!({
                "extended_by_hours": hours_of(extension.granted),
                "new_shutdown_at": rfc3339(snapshot.anchor.wall_at(extension.end)),
            });
            if extension.is_capped {
                body["message"] = "the hard limit allows no more".into();
            }
            answer(StatusCode::OK, &body)
        }
    }
}

/// Hours as JSON: an integer where it is one, as clients of old expect.
fn hours_of(duration: Duration) -> Value {
    let seconds = duration.as_secs();
    if seconds.is_multiple_of(3600) {
        return Value::from(seconds / 3600);
    }
    Value::from((duration.as_secs_f64() / 3600.0 * 10_000.0).round() / 10_000.0)
}

async fn activity(_: Authorized, State(guard): Shared) -> Response {
    match guard.touch("request") {
        Err(TooLate) => too_late(),
        Ok(snapshot) => answer(
            StatusCode::OK,
            &json!({ "last_activity": rfc3339(snapshot.anchor.wall_at(snapshot.lease.last_use)) }),
        ),
    }
}

async fn keep(_: Authorized, State(guard): Shared, fields: Fields) -> Response {
    let wall = guard.snapshot().reading.wall;
    let Some(duration) = kept_for(field(&fields, "minutes"), field(&fields, "until"), wall) else {
        let reason = "set minutes (1 to 43200) or until (a time to come, such as 2026-01-02T15:04:05Z)";
        return refuse(StatusCode::BAD_REQUEST, reason);
    };
    match guard.keep(duration) {
        Err(TooLate) => too_late(),
        Ok(snapshot) => {
            let time = |moment| rfc3339(snapshot.anchor.wall_at(moment));
            let lease_end = snapshot.lease.lease_plan(&guard.config.policy).at;
            let mut body = json!({
                "kept_until": snapshot.lease.keep_until.map(time),
                "shutdown_at": time(lease_end),
            });
            if snapshot.lease.keep_until.is_some_and(|keep| keep > lease_end) {
                body["message"] = "the lease ends before that".into();
            }
            answer(StatusCode::OK, &body)
        }
    }
}

/// The time that `minutes` or `until` ask for; `wall` is now, in milliseconds since the epoch.
fn kept_for(minutes: Option<&str>, until: Option<&str>, wall: u64) -> Option<Duration> {
    const MINUTES_MAX: u64 = 43_200;
    let duration = match (minutes, until) {
        (Some(minutes), None) => Duration::from_secs(minutes.parse::<u64>().ok()?.checked_mul(60)?),
        (None, Some(until)) => {
            let time = humantime::parse_rfc3339_weak(until).ok()?.duration_since(UNIX_EPOCH).ok()?;
            Duration::from_millis(milliseconds(time).checked_sub(wall)?)
        }
        _ => return None,
    };
    (duration > Duration::ZERO && duration <= Duration::from_secs(MINUTES_MAX * 60)).then_some(duration)
}

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.as_ref().ok()?.get(name).map(|text| text.trim())
}

fn too_late() -> Response {
    refuse(StatusCode::CONFLICT, "the machine is being ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_whole_where_they_can_be() {
        let json = |seconds| hours_of(Duration::from_secs(seconds)).to_string();
        assert_eq!([json(0), json(7200), json(5400), json(6000)], ["0", "2", "1.5", "1.6667"]);
    }

    #[test]
    fn keep_takes_minutes_or_a_time_to_come() {
        let wall = 1_767_323_045_000; // 2026-01-02T03:04:05Z
        let table = [
            (Some("120"), None, Some(7200)),
            (None, Some("2026-01-02T04:04:05Z"), Some(3600)),
            (None, Some("2026-01-02 04:04:05"), Some(3600)),
            (None, Some("2026-01-02T03:04:05Z"), None),
            (None, Some("2025-01-02T03:04:05Z"), None),
            (None, Some("2027-01-02T03:04:05Z"), None),
            (None, Some("tomorrow"), None),
            (Some("0"), None, None),
            (Some("43201"), None, None),
            (Some("-1"), None, None),
            (Some("99999999999999999999"), None, None),
            (Some("1"), Some("2026-01-02T04:04:05Z"), None),
            (None, None, None),
        ];
        for (minutes, until, expected) in table {
            assert_eq!(
                kept_for(minutes, until, wall),
                expected.map(Duration::from_secs),
                "{minutes:?} {until:?}"
            );
        }
    }

    #[test]
    fn a_bearer_token_is_taken_from_its_header_only() {
        let of = |value: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            bearer(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(of(b"Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(of(b"bearer  abc "), Some(b"abc".to_vec()));
        for value in [&b"abc"[..], b"Bearer", b"Basic YTpi", b"\xff\xff\xff"] {
            assert_eq!(
                bearer(&HeaderMap::from_iter([(
                    header::AUTHORIZATION,
                    HeaderValue::from_bytes(value).unwrap()
                )])),
                None
            );
        }
    }
}
