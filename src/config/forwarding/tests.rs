//! Tables of valid and invalid forwards.

use super::*;
use crate::system::paths::Paths;

#[test]
fn what_is_written_is_what_is_meant() {
    let host = |host: &str, port| Target::Port(host.to_owned(), port);
    let table = [
        (
            Kind::Local,
            "5432:db.internal:5432",
            ForwardSpec::Local(Listen::Port(5432), host("db.internal", 5432)),
        ),
        (
            Kind::Local,
            "1:[2001:db8::1]:65535",
            ForwardSpec::Local(Listen::Port(1), host("2001:db8::1", 65535)),
        ),
        (
            Kind::Local,
            "2375:/var/run/docker.sock",
            ForwardSpec::Local(Listen::Port(2375), Target::Socket("/var/run/docker.sock".into())),
        ),
        (
            Kind::Local,
            "/tmp/a b.sock:localhost:80",
            ForwardSpec::Local(Listen::Socket("/tmp/a b.sock".into()), host("localhost", 80)),
        ),
        (
            Kind::Remote,
            "9000:localhost:3000",
            ForwardSpec::Remote(Listen::Port(9000), host("localhost", 3000)),
        ),
        (
            Kind::Remote,
            "/run/x.sock:/run/y.sock",
            ForwardSpec::Remote(Listen::Socket("/run/x.sock".into()), Target::Socket("/run/y.sock".into())),
        ),
        (Kind::Socks, "1080", ForwardSpec::Socks(1080)),
    ];
    for (kind, text, expected) in table {
        assert_eq!(kind.parse(text), Ok(expected.clone()), "{text}");
        assert_eq!(format!("{kind} {text}").parse(), Ok(expected.clone()), "{text}");
        assert_eq!(expected.to_string(), format!("{kind} {text}"));
        let json = serde_json::to_string(&expected).unwrap();
        assert_eq!(serde_json::from_str::<ForwardSpec>(&json).unwrap(), expected, "{json}");
    }
}

#[test]
fn ports_alone_are_those_of_the_instance() {
    for (text, expected) in [
        ("8888", "local 8888:localhost:8888"),
        ("8888:9999", "local 8888:localhost:9999"),
        ("/tmp/x.sock:9999", "local /tmp/x.sock:localhost:9999"),
        ("1:65535", "local 1:localhost:65535"),
    ] {
        assert_eq!(Kind::Local.parse(text).unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn what_ssh_or_a_shell_could_misread_is_refused() {
    let long = format!("/{}:h:1", "x".repeat(200));
    for text in [
        "",
        ":",
        "::",
        "1:",
        ":h:1",
        "1:h",
        "1:h:",
        "1::1",
        "0:h:1",
        "70000:h:1",
        "1:h:0",
        "1:h:70000",
        "+1:h:1",
        "1:h:+1",
        "-1:h:1",
        "1:-oProxyCommand=x:1",
        "-oProxyCommand=x:h:1",
        "1:h h:1",
        "1 :h:1",
        "1:h:1 ",
        "1:h\n:1",
        "1:h:1\nstop",
        "1:$(id):1",
        "1:[::1:1",
        "1:[h]:1",
        "1:::1:1",
        "1:a:b:1",
        "localhost:1:h:1",
        "*:1:h:1",
        "0.0.0.0:1:h:1",
        "x.sock:h:1",
        "/:h:1",
        "/a/:h:1",
        "~:h:1",
        "~root/x:h:1",
        "/a\u{1}:h:1",
        "/${HOME}/x:h:1",
        "1:./x",
        &long,
    ] {
        assert!(Kind::Local.parse(text).is_err(), "{text:?}");
        assert!(Kind::Remote.parse(text).is_err(), "{text:?}");
    }
    for text in ["0", "65536", "1:0", "0:1", "1:65536", "1:+1", "1:1:", "+1", " 1", "1:1 "] {
        assert!(Kind::Local.parse(text).is_err(), "{text:?}");
    }
    for text in ["1", "1:2", "/a:2"] {
        assert!(Kind::Remote.parse(text).is_err(), "{text:?}: -R 1 is a proxy");
    }
    for text in ["", "0", "70000", "-1", "+1", "1 ", "a", "1:h:1"] {
        assert!(Kind::Socks.parse(text).is_err(), "{text:?}");
    }
    assert!("dynamic 1".parse::<ForwardSpec>().is_err());
}

#[test]
fn home_is_expanded_on_this_side_only() {
    let paths = Paths::from_env().unwrap();
    let expanded = |kind: Kind, text: &str| kind.parse(text).unwrap().expanded(&paths);
    assert!(expanded(Kind::Local, "~/x:h:1").fault().is_none());
    assert!(expanded(Kind::Remote, "1:~/x").fault().is_none());
    assert!(expanded(Kind::Local, "1:~/x").fault().is_some());
    assert!(expanded(Kind::Remote, "~/x:h:1").fault().is_some());
}

#[test]
fn what_listens_on_the_same_collides() {
    let [a, b, c, d] = ["local 1:h:1", "socks 1", "remote 1:h:1", "local 2:h:1"]
        .map(|text| text.parse::<ForwardSpec>().unwrap());
    assert!(a.collides_with(&b) && b.collides_with(&a) && a.collides_with(&a));
    assert!(!a.collides_with(&c) && !a.collides_with(&d));
}
