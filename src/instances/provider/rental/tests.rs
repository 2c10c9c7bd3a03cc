//! Outcomes of runs: which of them leave it open whether a machine was rented.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::*;

fn failure(stdout: &str, stderr: &str, status: i32, otherwise: Code) -> Refused {
    let watch = Watch::new().unwrap();
    let outcome =
        Outcome { status: ExitStatus::from_raw(status), stdout: stdout.into(), stderr: stderr.into() };
    Provider::new("x", &watch).failure(&outcome, otherwise)
}

#[test]
fn an_error_object_has_the_last_word() {
    let text = r#"{"error":{"code":"no-capacity","message":"none \u001b[2Jleft","retry_after":30}}"#;
    let refused = failure(text, "soong-provider-x: none left\nhint: wait\n", 1 << 8, Code::UnknownOutcome);
    assert_eq!(refused.code, Code::NoCapacity);
    assert_eq!(refused.message, "the provider x failed: none \\u{1b}[2Jleft");
    assert_eq!(refused.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(refused.hints, ["wait"]);

    let silent = failure(r#"{"error":{"code":"quota"}}"#, "", 1 << 8, Code::UnknownOutcome);
    assert_eq!((silent.code, silent.message.as_str()), (Code::Quota, "the provider x failed: quota"));
    let long = format!(r#"{{"error":{{"code":"other","message":"{}"}}}}"#, "x".repeat(10_000));
    assert!(failure(&long, "", 1 << 8, Code::Other).message.len() < 400);
}

#[test]
fn a_crash_leaves_the_outcome_open() {
    for (stdout, stderr, status, expected) in [
        ("", "cut off", 1 << 8, Code::UnknownOutcome),
        ("{\"error\":", "", 1 << 8, Code::UnknownOutcome),
        ("", "", 9, Code::UnknownOutcome),
        ("", "panicked", 101 << 8, Code::UnknownOutcome),
        ("", "usage: soong-provider-x list", 2 << 8, Code::Other),
        ("", "sh: not found", 127 << 8, Code::Other),
    ] {
        assert_eq!(failure(stdout, stderr, status, Code::UnknownOutcome).code, expected, "{stderr} {status}");
    }
}

#[test]
fn unknown_verbs_are_left_out_and_list_is_always_there() {
    let verbs = |text: &str| Capabilities::parse(text.as_bytes());
    assert_eq!(
        verbs(r#"{"api":1,"verbs":["terminate","offers","dance"]}"#).unwrap(),
        [Verb::List, Verb::Offers, Verb::Terminate]
    );
    // A program that ignores its argument lists instead.
    assert_eq!(verbs(r#"{"api":1,"instances":[]}"#).unwrap(), [Verb::List]);
    assert_eq!(verbs(r#"{"api":2,"verbs":[]}"#).unwrap_err().split(';').count(), 2);
    assert!(verbs(r#"{"api":1,"verbs":"list"}"#).is_err());
    let written = serde_json::to_string(&Capabilities::new(&Verb::ALL)).unwrap();
    assert_eq!(written, r#"{"api":1,"verbs":["list","offers","launch","terminate"]}"#);
    assert_eq!(verbs(&written).unwrap(), Verb::ALL);
}
