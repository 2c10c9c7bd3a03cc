//! Tables of answers: their meaning and their faults.

use super::*;
use crate::instances::provider::field::TEXT_MAX;

fn parse(text: &str) -> Result<Vec<Listed>, String> {
    super::parse(text.as_bytes())
}

#[test]
fn an_id_is_enough_and_the_unknown_is_passed_over() {
    let all = parse(
        r#"{"api":1,"extra":{"a":[1]},"instances":[{"id":"a","jupyter_token":"s3cret","name":null,"host":""},
           {"id":"b","name":"train","status":"active","host":"192.0.2.7","user":"me","port":2222,
            "type":"gpu_1x_a10","region":"us-west-1","price_cents_per_hour":75}]}"#,
    )
    .unwrap();
    assert_eq!(all[0], Listed { id: "a".into(), ..Listed::default() });
    let full = Listed {
        id: "b".into(),
        name: Some("train".into()),
        status: Status::Active,
        host: Some("192.0.2.7".into()),
        user: Some("me".into()),
        port: Some(2222),
        kind: Some("gpu_1x_a10".into()),
        region: Some("us-west-1".into()),
        price_cents_per_hour: Some(75),
    };
    assert_eq!(all[1], full);
}

#[test]
fn what_was_read_can_be_written_and_read_again() {
    let text = r#"{"api":1,"instances":[{"id":"\u001b[2J","name":"a\nb","status":"preempted","host":"-oX","port":1},
        {"id":"b","user":"me","type":"a\"b\\","region":"größer","price_cents_per_hour":75}]}"#;
    let instances = parse(text).unwrap();
    let written = serde_json::to_string(&Answer::new(&instances)).unwrap();
    assert_eq!(parse(&written).unwrap(), instances);
    assert_eq!(instances[0].id, "\u{1b}[2J", "control characters are data");
}

#[test]
fn every_status_has_its_word() {
    use Status::{Active, Booting, Preempted, Terminated, Terminating, Unhealthy, Unknown};
    for status in [Booting, Active, Unhealthy, Terminated, Terminating, Preempted, Unknown] {
        assert_eq!(Status::from_word(status.word()), status);
    }
    assert_eq!(Status::from_word("rebooting-into-space"), Unknown);
}

#[test]
fn what_is_wrong_is_said() {
    let table = [
        ("", "it printed nothing"),
        (" \n", "it printed nothing"),
        (r#"{"instances":[]}"#, "\"api\": 1 is missing"),
        (r#"{"api":"1","instances":[]}"#, "\"api\": 1 is missing"),
        (r#"{"api":2,"instances":[]}"#, "it uses version 2 of the provider API; soong uses 1"),
        (r#"{"api":2,"instances":"later"}"#, "it uses version 2 of the provider API; soong uses 1"),
        (r#"{"instances":[{"id":{}}],"api":2}"#, "it uses version 2 of the provider API; soong uses 1"),
        (r#"{"api":1}"#, "\"instances\" is missing"),
        (r#"{"api":1,"instances":[{"name":"x"}]}"#, "instances[0] has no id"),
        (r#"{"api":1,"instances":[{"id":"a"},{"id":""}]}"#, "instances[1] has no id"),
        (r#"{"api":1,"instances":[{"id":7}]}"#, "instances[0].id is not a text"),
        (r#"{"api":1,"instances":[{"id":"a","name":["x"]}]}"#, "instances[0].name is not a text"),
        (
            r#"{"api":1,"instances":[{"id":"a","port":70000}]}"#,
            "instances[0].port is not a port (1 to 65535)",
        ),
        (r#"{"api":1,"instances":[{"id":"a","port":"22"}]}"#, "instances[0].port is not a port (1 to 65535)"),
        (r#"{"api":1,"instances":[{"id":"a","port":22.0}]}"#, "instances[0].port is not a port (1 to 65535)"),
        (r#"{"api":1,"instances":[{"id":"a","user":{"x":[{}]}}]}"#, "instances[0].user is not a text"),
        (r#"{"api":1,"instances":[{"id":"a","host":false}]}"#, "instances[0].host is not a text"),
        (
            r#"{"api":1,"instances":[{"id":"a","price_cents_per_hour":-1}]}"#,
            "instances[0].price_cents_per_hour is not a whole number",
        ),
        (r#"{"api":1,"instances":[{"id":"a"},{"id":"a"}]}"#, "two instances have the id \"a\""),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text).unwrap_err(), expected, "{text}");
    }
    for text in
        ["hello", "[]", "{", "\u{1b}[2J", r#"{"api":1,"instances":[]} x"#, r#"{"api":1,"instances":{}}"#]
    {
        assert!(parse(text).unwrap_err().starts_with("unexpected JSON"), "{text}");
    }
    for bytes in [
        &b"{\"api\":1,\"instances\":[{\"id\":\"\xff\"}]}"[..],
        b"{\"api\":1,\"instances\":[],\"x\":\"\xff\"}",
    ] {
        assert!(super::parse(bytes).unwrap_err().starts_with("unexpected JSON"));
    }
}

#[test]
fn the_list_and_its_texts_are_bounded() {
    let list = |count: usize| {
        let entries: Vec<String> = (0..count).map(|n| format!(r#"{{"id":"{n}"}}"#)).collect();
        format!(r#"{{"api":1,"instances":[{}]}}"#, entries.join(","))
    };
    assert_eq!(parse(&list(INSTANCES_MAX)).unwrap().len(), INSTANCES_MAX);
    assert!(parse(&list(INSTANCES_MAX + 1)).unwrap_err().contains("maximum is 10000"));
    let long = format!(r#"{{"api":1,"instances":[{{"id":"a","name":"{}"}}]}}"#, "ä".repeat(1000));
    assert_eq!(parse(&long).unwrap()[0].name.as_ref().unwrap().chars().count(), TEXT_MAX + 1);
    let long = format!(r#"{{"api":1,"instances":[{{"id":"{}"}}]}}"#, "a".repeat(ID_MAX + 1));
    assert!(parse(&long).is_err());
}

#[test]
fn addresses_that_ssh_could_misread_make_an_instance_unreachable() {
    let fault = |host: &str, user: &str| {
        Listed { host: Some(host.into()), user: Some(user.into()), ..Listed::default() }.fault()
    };
    assert_eq!(fault("192.0.2.7", "ubuntu"), None);
    assert!(fault("-oProxyCommand=touch x", "ubuntu").unwrap().contains("address"));
    assert!(fault("192.0.2.7", "$(id)").unwrap().contains("user name"));
    assert_eq!(Listed::default().fault(), None);
}
