//! The client against a local server that follows the published description, and one that does not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::credentials::Secret;
use crate::instances::lambda::SERVICE;
use crate::instances::lambda::account::Account;
use crate::instances::provider::LaunchOrder;
use crate::instances::provider::answer::Listed;
use crate::instances::rest::service::Origin;
use crate::instances::rest::verbs::Account as _;

const KEY: &str = "secret_k3y";
const LIST: &str = r#"{"data":[{"id":"a1","status":"active","ip":"198.51.100.2","surprise":{"x":[1]}}]}"#;

/// Reaction of the server to one request.
enum Reply {
    /// Writes this and closes the connection.
    Raw(String),
    /// Is silent until the client closes the connection.
    Silence,
    /// Writes this until the client closes the connection.
    Flood(&'static str),
}

struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers one connection per reply.
    fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for reply in replies {
                let Ok((mut stream, _)) = listener.accept() else { return };
                log.lock().unwrap().push(request(&mut stream));
                // The client can close the connection at any time.
                let _ = answer(&mut stream, &reply);
            }
        });
        Self { port, requests }
    }

    fn client(&self) -> Client {
        let endpoint = Endpoint::parse(&format!("http://127.0.0.1:{}/api/v1", self.port), "x").unwrap();
        let key = Key { secret: Secret::new(KEY).unwrap(), origin: Origin::Stored };
        Client {
            pause: Duration::from_millis(1),
            spacing: Duration::ZERO,
            ..Client::new(&SERVICE, endpoint, key)
        }
    }

    fn ask(&self) -> Result<Vec<Listed>, Error> {
        self.ask_within(Duration::from_secs(10))
    }

    fn ask_within(&self, time: Duration) -> Result<Vec<Listed>, Error> {
        let account = Account { client: self.client(), deadline: Instant::now() + time };
        account.instances().map_err(Error::from)
    }

    /// Sends a launch for the time `time`.
    fn launch(&self, time: Duration) -> Result<Listed, Refused> {
        let account = Account { client: self.client(), deadline: Instant::now() + time };
        let order = LaunchOrder {
            name: "dev".into(),
            type_name: "gpu_1x_a10".into(),
            region: "us-west-1".into(),
            ssh_key: Some("k".into()),
            ..LaunchOrder::default()
        };
        account.launch(&order)
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn answer(stream: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    match reply {
        Reply::Raw(text) => stream.write_all(text.as_bytes()),
        Reply::Silence => stream.read(&mut [0]).map(drop),
        Reply::Flood(text) => loop {
            stream.write_all(text.as_bytes())?;
        },
    }
}

fn reply(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Raw(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()))
}

fn ok() -> Reply {
    reply("200 OK", "Content-Type: application/json\r\n", LIST)
}

fn told(result: Result<Vec<Listed>, Error>) -> String {
    let error = result.unwrap_err();
    assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    format!("{error}{}", error.hints().iter().map(|hint| format!(" | {hint}")).collect::<String>())
}

#[test]
fn the_list_is_asked_for_with_the_key_in_a_header() {
    let server = Server::start(vec![ok()]);
    assert_eq!(server.ask().unwrap()[0].host.as_deref(), Some("198.51.100.2"));
    let request = server.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(request.starts_with("get /api/v1/instances http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nauthorization: bearer {KEY}\r\n")), "{request}");
    assert!(!format!("{:?}", server.client()).contains(KEY));
}

#[test]
fn what_is_refused_is_asked_once() {
    for status in [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "409 Conflict",
        "418 Teapot",
    ] {
        let body = format!(r#"{{"error":{{"code":"global/x","message":"the key {KEY}"}}}}"#);
        let server = Server::start(vec![reply(status, "", &body), ok()]);
        let told = told(server.ask());
        assert!(told.contains(&status[..3]) && told.contains("the key …"), "{told}");
        assert_eq!(server.count(), 1, "{status}");
    }
}

#[test]
fn trouble_of_the_servers_is_asked_again_a_few_times() {
    for status in
        ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"]
    {
        let server = Server::start(vec![reply(status, "", "<html>"), ok()]);
        assert_eq!(server.ask().unwrap().len(), 1, "{status}");
        let server = Server::start((0..9).map(|_| reply(status, "", "")).collect());
        assert!(told(server.ask()).contains(&format!("(HTTP {})", &status[..3])));
        assert_eq!(server.count(), 5);
    }
}

#[test]
fn a_limit_of_the_rate_is_honoured() {
    let limited = |header: &str| Server::start(vec![reply("429 Too Many Requests", header, "{}"), ok()]);

    let begun = Instant::now();
    assert_eq!(limited("Retry-After: 1\r\n").ask().unwrap().len(), 1);
    assert!(begun.elapsed() >= Duration::from_secs(1));

    // A date has no fractions of a second, so the test reads the moment back from it.
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    assert_eq!(limited(&format!("Retry-After: {date}\r\n")).ask().unwrap().len(), 1);
    assert!(SystemTime::now() >= httpdate::parse_http_date(&date).unwrap(), "{date}");
}

#[test]
fn a_pause_longer_than_the_time_there_is_is_told() {
    let server = Server::start(vec![reply("429 Too Many Requests", "Retry-After: 3600\r\n", ""), ok()]);
    let begun = Instant::now();
    assert_eq!(told(server.ask()), "too many requests to Lambda Cloud (HTTP 429) | try again in 3600 s");
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(server.count(), 1);
}

#[test]
fn a_dropped_connection_is_tried_again() {
    let cut = |text: &str| Reply::Raw(text.to_owned());
    let truncated = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{\"data\":[", LIST.len());
    for first in [cut(""), cut("HTTP/1.1 200 OK\r\nConte"), cut(&truncated)] {
        let server = Server::start(vec![first, ok()]);
        assert_eq!(server.ask().unwrap().len(), 1);
        assert_eq!(server.count(), 2);
    }
    let closed = Server { port: free_port(), requests: Arc::default() };
    assert!(told(closed.ask()).contains("Connection refused"));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    for reply in [Reply::Silence, Reply::Raw(slow.to_owned())] {
        let server =
            Server::start(vec![reply, Reply::Silence, Reply::Silence, Reply::Silence, Reply::Silence]);
        let begun = Instant::now();
        let result = server.ask_within(Duration::from_millis(700));
        assert!(told(result).contains("no answer in time"));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
    let huge = format!("{head}{}", " ".repeat(17 << 20));
    let chunk = "1000\r\n".to_owned() + &" ".repeat(0x1000) + "\r\n";
    let endless = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(17 << 8));
    for text in [huge, endless] {
        let server = Server::start(vec![Reply::Raw(text)]);
        assert_eq!(
            told(server.ask()),
            "127.0.0.1:PORT sent more than 16 MiB".replace("PORT", &server.port.to_string())
        );
    }
    let server = Server::start((0..5).map(|_| Reply::Flood("HTTP/1.1 200 OK\r\nX: y\r\n")).collect());
    assert!(server.ask().is_err());
}

#[test]
fn rubbish_is_told() {
    let server = Server::start(vec![reply("200 OK", "", "<html>not json</html>")]);
    assert!(told(server.ask()).starts_with("Lambda Cloud's answer is not a list of instances"));
    let server = Server::start((0..5).map(|_| Reply::Raw("SSH-2.0-x\r\n\r\n".to_owned())).collect());
    assert!(told(server.ask()).contains("no HTTP answer"));
}

#[test]
fn the_key_is_not_taken_elsewhere() {
    let other = Server::start(vec![ok()]);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("Location: http://127.0.0.1:{}/\r\n", other.port);
        let server = Server::start(vec![reply(status, &location, "")]);
        assert!(told(server.ask()).starts_with("Lambda Cloud redirects to http://127.0.0.1:"), "{status}");
        assert_eq!((server.count(), other.count()), (1, 0));
    }
}

#[test]
fn a_launch_is_sent_once_whatever_becomes_of_it() {
    let cut = |text: &str| Reply::Raw(text.to_owned());
    let refused = |code: &str| {
        reply("400 Bad Request", "", &format!(r#"{{"error":{{"code":"{code}","message":"the key {KEY}"}}}}"#))
    };
    let none_left = "instance-operations/launch/insufficient-capacity";
    for (name, first, expected) in [
        ("cut before an answer", cut(""), Code::UnknownOutcome),
        ("cut in the head", cut("HTTP/1.1 200 OK\r\nConte"), Code::UnknownOutcome),
        ("cut in the body", cut("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), Code::UnknownOutcome),
        ("cut in a refusal", cut("HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\n{"), Code::Other),
        ("no HTTP", cut("SSH-2.0-x\r\n\r\n"), Code::UnknownOutcome),
        ("no JSON", reply("200 OK", "", "<html>"), Code::UnknownOutcome),
        ("no id", reply("200 OK", "", r#"{"data":{"instance_ids":[]}}"#), Code::UnknownOutcome),
        ("silence", Reply::Silence, Code::UnknownOutcome),
        ("500", reply("500 Internal Server Error", "", ""), Code::UnknownOutcome),
        ("503", reply("503 Service Unavailable", "Retry-After: 9\r\n", ""), Code::UnknownOutcome),
        ("504", reply("504 Gateway Timeout", "", "<html>"), Code::UnknownOutcome),
        ("408", reply("408 Request Timeout", "", ""), Code::UnknownOutcome),
        ("429", reply("429 Too Many Requests", "", "{}"), Code::RateLimited),
        ("401", reply("401 Unauthorized", "", ""), Code::Unauthorized),
        ("302", reply("302 Found", "Location: http://127.0.0.1:9/\r\n", ""), Code::Other),
        ("no capacity", refused(none_left), Code::NoCapacity),
        ("quota", refused("global/quota-exceeded"), Code::Quota),
    ] {
        let server = Server::start(vec![first, ok(), ok()]);
        let time = if name == "silence" { Duration::from_millis(700) } else { Duration::from_secs(10) };
        let refused = server.launch(time).unwrap_err();
        assert_eq!(refused.code, expected, "{name}: {refused:?}");
        assert_eq!(server.count(), 1, "{name}");
        assert!(!format!("{refused:?}").contains(KEY), "{refused:?}");
    }
    let server = Server::start(vec![reply("200 OK", "", r#"{"data":{"instance_ids":["a1"]}}"#)]);
    assert_eq!(server.launch(Duration::from_secs(10)).unwrap().id, "a1");
    let closed = Server { port: free_port(), requests: Arc::default() };
    let refused = closed.launch(Duration::from_secs(10)).unwrap_err();
    assert_eq!(refused.code, Code::Other, "without a connection nothing was sent: {refused:?}");
}

#[test]
fn pauses_that_the_rate_needs_are_kept() {
    let server = Server::start(vec![ok(), ok()]);
    let client = Client { spacing: Duration::from_millis(300), ..server.client() };
    let account = Account { client, deadline: Instant::now() + Duration::from_secs(10) };
    let begun = Instant::now();
    assert!(account.instances().is_ok() && account.instances().is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn pauses_that_servers_ask_for() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    let asked = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().unwrap());
        retry_after(&headers, now).map(|pause| pause.as_secs())
    };
    assert_eq!(asked("120"), Some(120));
    assert_eq!(asked(" 0 "), Some(0));
    assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
    assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "the past is now");
    for nonsense in ["-1", "soon", "1.5", "99999999999999"] {
        assert_eq!(asked(nonsense), None, "{nonsense}");
    }
}

#[test]
fn pauses_double_give_or_take_a_fifth() {
    for attempt in 1..6 {
        let pause = backoff(Duration::from_millis(500), attempt).as_secs_f64();
        let middle = 0.25 * f64::from(1 << attempt);
        assert!((0.79 * middle..=1.21 * middle).contains(&pause), "{attempt}: {pause}");
    }
}
