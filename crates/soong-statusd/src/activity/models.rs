//! Requests to model servers: asks each for its metrics page and the name of its model.
//!
//! These questions cause no work that the page counts, so they never keep a machine up.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Load;
use super::metrics::{self, Work};
use crate::config::Endpoint;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes. The page of a large server has about 200 KB.
const ANSWER_MAX: usize = 4 << 20;

/// The model servers, and how many tokens each had counted at the last look.
#[derive(Debug, Default)]
pub struct ModelServers {
    tokens: HashMap<String, f64>,
}

/// Result of asking a server.
enum Answer {
    Work(Work, Option<String>),
    /// Nothing listens there.
    NotRunning,
    Unknown(String),
}

impl ModelServers {
    /// Asks all `endpoints`, at once; returns their load and the name of the first model. Together they take no
    /// longer than the slowest, so that servers that hang do not put off the end of a lease.
    pub async fn look(&mut self, endpoints: &[Endpoint]) -> (Load, Option<String>) {
        let (mut busy, mut unknown, mut model) = (None, None, None);
        let start = |endpoint: Endpoint| tokio::spawn(async move { ask(&endpoint).await });
        let asked: Vec<_> = endpoints.iter().cloned().map(start).collect();
        for (endpoint, answer) in endpoints.iter().zip(asked) {
            let load = match answer.await.unwrap_or_else(|error| Answer::Unknown(error.to_string())) {
                Answer::Work(work, name) => {
                    model = model.or(name);
                    self.load(endpoint, work)
                }
                Answer::NotRunning => {
                    self.tokens.remove(&endpoint.authority);
                    Load::Quiet
                }
                Answer::Unknown(reason) => Load::Unknown(format!("{endpoint}: {reason}")),
            };
            match load {
                Load::Busy(_) if busy.is_none() => busy = Some(load),
                Load::Unknown(_) if unknown.is_none() => unknown = Some(load),
                _ => {}
            }
        }
        (busy.or(unknown).unwrap_or(Load::Quiet), model)
    }

    /// The load of one server. Tokens count if they are more than at the last look, or if the
    /// server restarted and has some.
    fn load(&mut self, endpoint: &Endpoint, work: Work) -> Load {
        let before = self.tokens.insert(endpoint.authority.clone(), work.tokens);
        let requests = work.running + work.waiting;
        if requests > 0.0 {
            return Load::Busy(format!("{endpoint} has {requests:.0} requests"));
        }
        let fresh = match before {
            Some(before) if work.tokens >= before => work.tokens - before,
            Some(_) => work.tokens,
            None => 0.0,
        };
        if fresh > 0.0 { Load::Busy(format!("{endpoint} processed {fresh:.0} tokens")) } else { Load::Quiet }
    }
}

async fn ask(endpoint: &Endpoint) -> Answer {
    let page = match timeout(PATIENCE, get(endpoint, "/metrics")).await {
        Err(_) => return Answer::Unknown(format!("no answer in {} s", PATIENCE.as_secs())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Answer::NotRunning,
        Ok(Err(error)) => return Answer::Unknown(error.to_string()),
        Ok(Ok((StatusCode::OK, page))) => page,
        Ok(Ok((StatusCode::NOT_FOUND, _))) => {
            return Answer::Unknown("it has no /metrics; start SGLang with --enable-metrics".into());
        }
        Ok(Ok((status, _))) => return Answer::Unknown(format!("/metrics answers {}", status.as_u16())),
    };
    let Some(work) = metrics::read(&String::from_utf8_lossy(&page)) else {
        return Answer::Unknown("its /metrics is not that of SGLang or vLLM".into());
    };
    let models = timeout(PATIENCE, get(endpoint, "/v1/models")).await;
    let name = models.ok().and_then(Result::ok).and_then(|(_, body)| first_model(&body));
    Answer::Work(work, name)
}

/// The id of the first model of an answer to `/v1/models`.
fn first_model(body: &[u8]) -> Option<String> {
    const LENGTH_MAX: usize = 200;
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let name = body["data"][0]["id"].as_str().filter(|name| !name.is_empty())?;
    Some(name.chars().take(LENGTH_MAX).collect())
}

async fn get(endpoint: &Endpoint, path: &str) -> io::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(&endpoint.authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, &endpoint.authority)
        .header(header::USER_AGENT, concat!("soong-statusd/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status();
        let body =
            Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(io::Error::other)?;
        Ok((status, body.to_bytes()))
    };
    let result = exchange.await;
    connection.abort();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_new_tokens_are_use() {
        let endpoint: Endpoint = serde_json::from_str("\"http://127.0.0.1:8000\"").unwrap();
        let mut servers = ModelServers::default();
        let work = |running: f64, tokens: f64| Work { running, waiting: 0.0, tokens };
        let table = [
            ("tokens from before the daemon started", work(0.0, 500.0), false),
            ("nothing new", work(0.0, 500.0), false),
            ("new tokens", work(0.0, 501.0), true),
            ("a running request", work(1.0, 501.0), true),
            ("the server restarted", work(0.0, 0.0), false),
            ("and worked", work(0.0, 3.0), true),
            ("the server restarted and worked", work(0.0, 2.0), true),
        ];
        for (name, work, expected) in table {
            let load = servers.load(&endpoint, work);
            assert_eq!(matches!(load, Load::Busy(_)), expected, "{name}: {load:?}");
        }
    }

    #[test]
    fn the_name_of_a_model_is_found_or_not() {
        let body = br#"{"object":"list","data":[{"id":"qwen2.5-coder-32b","object":"model"}]}"#;
        assert_eq!(first_model(body).as_deref(), Some("qwen2.5-coder-32b"));
        for body in [&b""[..], b"{}", br#"{"data":[]}"#, br#"{"data":[{"id":7}]}"#] {
            assert_eq!(first_model(body), None);
        }
    }
}
