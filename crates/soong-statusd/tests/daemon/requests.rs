//! The endpoints.

use std::process::Command;

use serde_json::Value;

use crate::support::{Machine, TOKEN};

fn epoch(time: &Value) -> u64 {
    let time = humantime::parse_rfc3339(time.as_str().unwrap()).unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Asserts that two times are the same. Each is converted from the clock since the boot, so that whole seconds can
/// differ by one.
#[track_caller]
fn assert_same(one: &Value, other: &Value) {
    assert!(epoch(one).abs_diff(epoch(other)) <= 1, "{one} {other}");
}

#[test]
fn the_curl_lines_of_the_manual_get_their_answers() {
    let daemon = Machine::new("instance-id = \"a1b2c3\"\n").start();
    let curl = |arguments: &[&str], path: &str| -> Value {
        let mut command = Command::new("curl");
        command.args(["-sS", "--fail", "--noproxy", "*"]).args(arguments);
        let output = command.arg(format!("http://{}{path}", daemon.address)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let status = curl(&["-H", &authorization], "/status");
    assert_eq!(status["instance_id"], "a1b2c3");
    assert_eq!(status["status"], "running");
    assert_eq!(status["model_loaded"], "not-loaded");
    assert_eq!(status["gpu_utilization"], -1);
    assert_eq!(status["idle_minutes"], 0);
    assert!(status["shutdown_in_minutes"] == 239 || status["shutdown_in_minutes"] == 240, "{status}");
    assert!(status["uptime_minutes"].is_u64() && status["gpus"] == serde_json::json!([]));
    assert!(epoch(&status["boot_time"]) < epoch(&status["shutdown_at"]));
    let extended = curl(&["-X", "POST", "-H", &authorization, "-d", "hours=2"], "/extend");
    assert_eq!(extended["extended_by_hours"], 2);
    assert!(epoch(&extended["new_shutdown_at"]).abs_diff(epoch(&status["shutdown_at"]) + 7200) <= 1);
    assert_eq!(curl(&[], "/health"), serde_json::json!({ "status": "healthy" }));
}

#[test]
fn extending_stops_at_the_hard_limit_and_says_so() {
    let daemon = Machine::new("lease = \"1h\"\nlimit = \"3h\"\n").start();
    assert_eq!(daemon.post("/extend", "hours=1.5").json()["extended_by_hours"], 1.5);
    let capped = daemon.post("/extend", "hours=8").json();
    assert_eq!(capped["extended_by_hours"], 0.5);
    assert_eq!(capped["message"], "the hard limit allows no more");
    let none = daemon.post("/extend", "hours=1").json();
    assert_eq!((&none["extended_by_hours"], &none["message"]), (&Value::from(0), &capped["message"]));
    let status = daemon.status();
    assert_eq!((&status["shutdown_at"], &status["ends_by"]), (&status["limit_at"], &Value::from("limit")));
    assert!(status["why"].as_str().unwrap().contains("unless it is used"), "{status}");
    for hours in ["0", "-1", "721", "nan", "inf", "two", ""] {
        let answer = daemon.post("/extend", &format!("hours={hours}"));
        assert_eq!(answer.status, 400, "{hours}");
        assert!(answer.json()["error"].as_str().unwrap().contains("hours must be"));
    }
    assert_eq!(daemon.post("/extend", "").status, 400);
    assert_same(&daemon.status()["limit_at"], &status["limit_at"]);
}

#[test]
fn keep_and_activity_answer_and_are_shown() {
    let daemon = Machine::new("").start();
    let kept = daemon.post("/keep", "minutes=120").json();
    let status = daemon.status();
    assert_same(&kept["kept_until"], &status["keep_until"]);
    assert_eq!(status["idle_shutdown_at"], status["keep_until"]);
    assert!(status["why"].as_str().unwrap().starts_with("kept until "), "{status}");
    assert_eq!(status["activity"]["last_activity_by"], "keep");
    let later = daemon.post("/keep", "minutes=600").json();
    assert_eq!(later["message"], "the lease ends before that");
    let until = later["kept_until"].as_str().unwrap();
    assert_same(&daemon.post("/keep", &format!("until={until}")).json()["kept_until"], &until.into());
    assert_eq!(daemon.post("/keep", "until=yesterday").status, 400);
    let used = daemon.post("/activity", "").json();
    assert_same(&used["last_activity"], &daemon.status()["activity"]["last_activity"]);
    assert_eq!(daemon.status()["activity"]["last_activity_by"], "request");
}

#[test]
fn a_user_of_the_machine_asks_from_there() {
    let machine = Machine::new("");
    let daemon = machine.start();
    let ask = |words: &[&str]| {
        let output = machine.command_at(daemon.address).args(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (asked, said, _) = ask(&["keep", "2h"]);
    let until = said.strip_prefix("no idle shutdown until ").unwrap().trim_end();
    assert!(asked);
    assert_same(&daemon.status()["keep_until"], &until.into());
    let before = daemon.status()["lease_end"].clone();
    let (_, said, _) = ask(&["extend", "90m"]);
    let end = said.strip_prefix("the lease ends at ").unwrap().trim_end();
    assert_same(&daemon.status()["lease_end"], &end.into());
    assert_ne!(daemon.status()["lease_end"], before);
    let (asked, _, said) = ask(&["keep", "0s"]);
    assert!(!asked && said.contains("set minutes (1 to 43200)"), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
    let elsewhere = machine.command_at(([127, 0, 0, 1], 1).into()).args(["keep", "1h"]).output().unwrap();
    let said = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(!elsewhere.status.success() && said.contains("127.0.0.1:1 does not answer"), "{said}");
}

#[test]
fn everything_but_health_and_the_page_wants_the_token() {
    let daemon = Machine::new("").start();
    let before = daemon.status();
    let wrong = [
        None,
        Some("wrong"),
        Some(""),
        Some(&TOKEN[..TOKEN.len() - 1]),
        Some("t0ken_4711-abcdefghijklmnopqrstuvw"),
    ];
    for token in wrong {
        for (method, path) in [
            ("GET", "/status"),
            ("GET", "/metrics"),
            ("POST", "/extend"),
            ("POST", "/keep"),
            ("POST", "/activity"),
        ] {
            let answer = daemon.request(method, path, token, "hours=1&minutes=60");
            assert_eq!(answer.status, 401, "{method} {path} {token:?}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
            assert!(!answer.body.contains("shutdown"), "{answer:?}");
        }
    }
    assert_same(&daemon.status()["lease_end"], &before["lease_end"]);
    assert_eq!(daemon.request("GET", "/health", None, "").status, 200);
    assert_eq!(daemon.get("/nothing").status, 404);
    assert_eq!(daemon.get("/extend").status, 405);
    assert!(!daemon.log().contains(TOKEN));
}

#[test]
fn the_page_is_one_file_under_a_strict_policy() {
    let daemon = Machine::new("").start();
    let page = daemon.request("GET", "/", None, "");
    assert_eq!(page.status, 200);
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "x-frame-options: deny",
    ] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
    assert!(page.body.contains("sessionStorage") && page.body.ends_with("</html>\n"));
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let daemon = Machine::new("").start();
    let page = daemon.get("/metrics").body;
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("soong_") && number.parse::<f64>().is_ok(), "{line}");
        assert!(page.contains(&format!("# TYPE {} gauge\n", name.split('{').next().unwrap())), "{line}");
    }
    for name in ["soong_lease_left_seconds 143", "soong_in_use 0", "soong_limit_left_seconds 287"] {
        assert!(page.contains(name), "{name}: {page}");
    }
}
