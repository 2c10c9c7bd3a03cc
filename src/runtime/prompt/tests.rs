//! The format of the prompt file, to the letter: shells rely on it.

use super::*;

const LINE: &str = "soong1 4242 1800000000 75 up dev 1800003600 8000,5678,8080";

fn entry() -> Entry {
    Entry {
        pid: 4242,
        not_after: 1_800_000_000,
        ttl: 75,
        phase: Some(Phase::Up),
        name: "dev".into(),
        lease_end: Some(1_800_003_600),
        ports: vec![8000, 5678, 8080],
    }
}

#[test]
fn a_line_says_what_its_entry_says() {
    assert_eq!(entry().to_string(), LINE);
    assert_eq!(Entry::parse(LINE), Some(entry()));
    let bare = Entry { lease_end: None, ports: vec![], phase: Some(Phase::Reconnecting), ..entry() };
    assert_eq!(bare.to_string(), "soong1 4242 1800000000 75 reconnecting dev - -");
    assert_eq!(Entry::parse(&bare.to_string()), Some(bare));
    assert_eq!(Entry::parse(&LINE.replace(" up ", " dreaming ")).unwrap().phase, None);
}

/// Whatever state a tunnel is in, readers take the line that is written for it.
#[test]
fn a_lease_that_readers_would_refuse_is_left_out() {
    let instance = crate::config::instance::Instance {
        name: "dev".into(),
        id: "a1".into(),
        host: "h".into(),
        user: "u".into(),
        port: None,
        key: None,
    };
    let mut state = State::starting(&instance, &[]);
    for (end, expected) in [
        (None, None),
        (Some(0), None),
        (Some(1), Some(1)),
        (Some(253_402_207_200), Some(253_402_207_200)),
        (Some(999_999_999_999), Some(999_999_999_999)),
        (Some(1_000_000_000_000), None),
        (Some(u64::MAX), None),
    ] {
        state.daemon = Some(crate::runtime::state::Facts { lease_end: end, ..Default::default() });
        let entry = Entry::new("dev", &state);
        assert_eq!(entry.lease_end, expected, "{end:?}");
        assert_eq!(Entry::parse(&entry.to_string()), Some(entry), "{end:?}");
    }
}

#[test]
fn what_is_not_to_the_letter_is_not_a_line() {
    for (was, is) in [
        ("soong1", "soong2"),
        ("soong1 ", "soong1  "),
        (" 4242 ", " 0 "),
        (" 4242 ", " 1 "),
        (" 4242 ", " -1 "),
        (" 4242 ", " 04242 "),
        (" 4242 ", " 12345678 "),
        (" 4242 ", " a[$(id)] "),
        ("1800000000", "x"),
        ("1800000000", "1800000000000000000000"),
        (" 75 ", " 7500 "),
        (" dev ", " $(id) "),
        (" dev ", " d\u{e9}v "),
        (" dev ", " d%v "),
        (" dev ", "  "),
        (" dev ", " dev more "),
        ("8000,", "8000;"),
        ("8000,", "80000,"),
        (",8080", ",8080 "),
        (",8080", ",8080\r"),
        (" 8000,5678,8080", ""),
    ] {
        let line = LINE.replace(was, is);
        assert_eq!(Entry::parse(&line), None, "{line:?}");
    }
}

#[test]
fn names_cannot_leave_their_field() {
    assert_eq!(field("a b$(x)\n`y`%F{red}"), "a_b__x___y__F_red_");
    assert_eq!(field("dev-1.a_b@c"), "dev-1.a_b@c");
    assert_eq!(field(""), "_");
}
