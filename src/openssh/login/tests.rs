//! Tests of ssh's command lines.

use super::*;

pub(crate) fn login() -> Login {
    Login {
        program: "/usr/bin/ssh".into(),
        instance: Instance {
            name: "dev".into(),
            id: "a1b2".into(),
            host: "192.0.2.7".into(),
            user: "ubuntu".into(),
            user_is_default: false,
            port: None,
            key: None,
        },
        keys: Keys::default(),
        host_key_check: HostKeyCheck::Pin,
        known_hosts: "/s/known_hosts".into(),
        keepalive: 60,
        connect_timeout: 30,
        detour: None,
        single_try: false,
        entry: Entry::default(),
        options: vec![],
        overrides: vec![],
        prefers_aes: true,
    }
}

fn command(login: &Login) -> String {
    login.tunnel_arguments(Path::new("/r/ctl")).join(" ")
}

#[test]
fn a_tunnel_is_one_controlled_ssh_without_forwards() {
    let command = command(&login());
    assert!(command.starts_with("-N -T -M -S /r/ctl "), "{command}");
    assert!(command.ends_with(" -- ubuntu@192.0.2.7"), "{command}");
    assert!(command.contains(" -o ClearAllForwardings=yes "), "{command}");
    assert!(command.contains(" -o ServerAliveInterval=60 "), "{command}");
}

/// The user's `ConnectionAttempts` apply to the first attempt of a start.
#[test]
fn ssh_repeats_no_connection_where_the_supervisor_does() {
    let mut login = Login { options: vec!["-o".into(), "ConnectionAttempts=3".into()], ..login() };
    assert!(!command(&login).contains("ConnectionAttempts=1"));
    login.single_try = true;
    let (ours, theirs) = ("ConnectionAttempts=1", "ConnectionAttempts=3");
    assert!(
        command(&login).find(ours).unwrap() < command(&login).find(theirs).unwrap(),
        "the first one counts"
    );
}

#[test]
fn host_keys_are_pinned_to_the_instance() {
    let mut login = login();
    let pinned = command(&login);
    for option in
        ["StrictHostKeyChecking=accept-new", "UserKnownHostsFile=/s/known_hosts", "HostKeyAlias=soong.a1b2"]
    {
        assert!(pinned.contains(option), "{pinned}");
    }
    login.host_key_check = HostKeyCheck::Strict;
    assert!(command(&login).contains("StrictHostKeyChecking=ask"));
    login.host_key_check = HostKeyCheck::Off;
    assert!(command(&login).contains("-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"));
}

#[test]
fn ids_that_known_hosts_files_could_misread_are_hashed() {
    for id in ["a,b", "*", "!x", "a b", "a\nb", "|1|x", "", "Mixed", &"x".repeat(300)] {
        let alias = host_key_alias(id);
        assert!(alias.starts_with("soong.@") && alias.len() == 19, "{alias}");
    }
    assert_eq!(host_key_alias("0920582c7ff041399e34823a0be62549"), "soong.0920582c7ff041399e34823a0be62549");
}

#[test]
fn the_users_options_come_before_the_defaults_they_override() {
    let mut login = login();
    login.options = vec!["-o".into(), "ServerAliveInterval=7".into()];
    let command = command(&login);
    let theirs = command.find("ServerAliveInterval=7").unwrap();
    assert!(theirs < command.find("ServerAliveInterval=60").unwrap());
    assert!(command.find("ClearAllForwardings").unwrap() < theirs);
}

#[test]
fn a_key_that_was_named_is_the_only_one_tried() {
    let mut login = login();
    login.keys = Keys { files: vec!["/k".into()], named: true };
    assert!(command(&login).contains("-o IdentitiesOnly=yes -i /k -- "));
    login.keys = Keys { files: vec!["/a b/%d".into()], named: true };
    assert!(command(&login).contains("-o IdentitiesOnly=yes -o IdentityFile=\"/a b/%%d\" -- "));
    login.keys = Keys { files: vec!["/k".into(), "/l".into()], named: false };
    let usual = command(&login);
    assert!(usual.contains(" -i /k -i /l -- ") && !usual.contains("IdentitiesOnly"), "{usual}");
}

#[test]
fn paths_survive_sshs_own_parsing() {
    assert_eq!(quoted(Path::new("/a b/known \"hosts\"")), "\"/a b/known \\\"hosts\\\"\"");
}
