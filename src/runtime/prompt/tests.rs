//! The exact format of the prompt file, on which shells rely.

use super::*;

const LINE: &str = "soong2 4242 1800000000 75 up dev 1800003600 8000,5678,8080 dev";

fn entry() -> Entry {
    Entry {
        pid: 4242,
        promise: Promise::Until { not_after: 1_800_000_000, ttl: 75 },
        phase: Some(Phase::Up),
        blocked: None,
        name: "dev".into(),
        lease_end: Some(1_800_003_600),
        ports: vec![8000, 5678, 8080],
        shown: "dev".into(),
    }
}

#[test]
fn a_line_says_what_its_entry_says() {
    assert_eq!(entry().to_string(), LINE);
    assert_eq!(Entry::parse(LINE), Some(entry()));
    let bare = Entry { lease_end: None, ports: vec![], phase: Some(Phase::Reconnecting), ..entry() };
    assert_eq!(bare.to_string(), "soong2 4242 1800000000 75 reconnecting dev - - dev");
    assert_eq!(Entry::parse(&bare.to_string()), Some(bare));
    assert_eq!(Entry::parse(&LINE.replace(" up ", " dreaming ")).unwrap().phase, None);
}

#[test]
fn an_idle_tunnel_promises_its_process() {
    let idle = Entry { promise: Promise::Process { started: 4711 }, phase: Some(Phase::Idle), ..entry() };
    let line = "soong3 4242 4711 idle dev 1800003600 8000,5678,8080 dev";
    assert_eq!(idle.to_string(), line);
    assert_eq!(Entry::parse(line), Some(idle.clone()));
    let blocked = Entry { blocked: Some("needs-passphrase".into()), ..idle };
    assert_eq!(blocked.to_string(), line.replace("idle", "needs-passphrase"));
    assert_eq!(Entry::parse(&blocked.to_string()), Some(blocked));
    for odd in [
        "soong3 4242 0 idle dev - 8000 dev",
        "soong3 4242 4711 75 idle dev - 8000 dev",
        "soong3 4242 4711 idle dev - 8000",
    ] {
        assert_eq!(Entry::parse(odd), None, "{odd}");
    }
    // Where the process cannot be looked up, the promise expires.
    let idle = Entry { phase: Some(Phase::Idle), ..entry() };
    assert_eq!(Entry::parse(&LINE.replace(" up ", " idle ")), Some(idle));
}

/// Readers accept the line of a tunnel in any state.
#[test]
fn a_lease_that_readers_would_refuse_is_left_out() {
    let instance = crate::config::instance::Instance {
        name: "dev".into(),
        id: "a1".into(),
        host: "h".into(),
        user: "u".into(),
        user_is_default: false,
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
        ("soong2", "soong1"),
        ("soong2", "soong3"),
        ("soong2 ", "soong2  "),
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
        ("8080 dev", "8080"),
        ("8080 dev", "8080 "),
        ("8080 dev", "8080 d\u{e9}v"),
        ("8080 dev", "8080 dev more"),
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

#[test]
fn a_line_of_before_is_read() {
    let before = Entry { name: "x@1".into(), shown: "x@1".into(), ..entry() };
    let line = "soong1 4242 1800000000 75 up x@1 1800003600 8000,5678,8080";
    assert_eq!(Entry::parse(line), Some(before));
}

#[test]
fn names_are_shown_as_they_can_be_read() {
    for (name, expected) in [
        ("dev", "dev"),
        ("twenty-characters-20", "twenty-characters-20"),
        ("llama-70b-finetune-experiment-3", "llama-70b-fi..ment-3"),
        ("my box", "my_box"),
        ("n größe", "n_grosse"),
        ("训练", "XunLian"),
        ("Обучение", "Obuchenie"),
        ("a $(touch pwned)\n`y`%F{red}\u{1b}[31m", "a_touch_pwne..ed_31m"),
        ("#[fg=red]\\e", "fg_red_e"),
    ] {
        assert_eq!(shown(name).as_deref(), Some(expected), "{name}");
    }
    for name in ["", "$$$", "\u{202e}", "---"] {
        assert_eq!(shown(name), None, "{name}");
    }
}

#[test]
fn what_is_shown_of_any_name_is_a_field() {
    for c in (0..=0x2_ffff).filter_map(char::from_u32) {
        let text = shown(&format!("a{c}b{c}")).unwrap();
        assert!(text.len() <= SHOWN_MAX && text.chars().all(is_plain), "{c:?}: {text}");
    }
}
