//! The user's own `ssh_config`: what says how to reach and log in to an instance is obeyed, what is about sessions,
//! forwards and going to the background neither breaks a tunnel nor is disturbed by it (`docs/ssh-config.md`).

use std::process::Command;

use crate::support::config::{path, user};
use crate::support::curl::get;
use crate::support::daemon::Daemon;
use crate::support::instance::Instance;
use crate::support::ports;
use crate::support::sandbox::Sandbox;
use crate::support::ssh_config::IGNORED;
use crate::support::sshd::generate_key;
use crate::support::tools::tool;

/// Lines that a tunnel obeys, and how `ssh -G` tells that it does.
const OBEYED: &[(&str, &str)] = &[
    ("Hostname 192.0.2.9", "hostname 192.0.2.9"),
    ("AddressFamily inet6", "addressfamily inet6"),
    ("BindAddress 192.0.2.1", "bindaddress 192.0.2.1"),
    ("BindInterface lo", "bindinterface lo"),
    ("CanonicalizeHostname always\nCanonicalDomains example.org", "canonicalizehostname always"),
    ("CanonicalizeFallbackLocal no", "canonicalizefallbacklocal no"),
    ("CanonicalizeMaxDots 3", "canonicalizemaxdots 3"),
    ("CanonicalizePermittedCNAMEs *.a:*.b", "canonicalizepermittedcnames *.a:*.b"),
    ("ProxyJump bastion", "proxyjump bastion"),
    ("ProxyCommand nc %h %p", "proxycommand nc %h %p"),
    ("ProxyCommand x\nProxyUseFdpass yes", "proxyusefdpass yes"),
    ("ConnectionAttempts 3", "connectionattempts 3"),
    ("TCPKeepAlive no", "tcpkeepalive no"),
    ("IPQoS cs1", "ipqos cs1 cs1"),
    ("Compression yes", "compression yes"),
    ("RekeyLimit 1G 1h", "rekeylimit 1073741824 3600"),
    ("Ciphers aes256-ctr", "ciphers aes256-ctr"),
    ("MACs hmac-sha2-512", "macs hmac-sha2-512"),
    ("KexAlgorithms curve25519-sha256", "kexalgorithms curve25519-sha256"),
    ("HostKeyAlgorithms ssh-ed25519", "hostkeyalgorithms ssh-ed25519"),
    ("CASignatureAlgorithms ssh-ed25519", "casignaturealgorithms ssh-ed25519"),
    ("PubkeyAcceptedAlgorithms ssh-ed25519", "pubkeyacceptedalgorithms ssh-ed25519"),
    ("HostbasedAcceptedAlgorithms ssh-ed25519", "hostbasedacceptedalgorithms ssh-ed25519"),
    ("RequiredRSASize 3072", "requiredrsasize 3072"),
    ("IdentityFile /a/key", "identityfile /a/key"),
    ("CertificateFile /a/cert", "certificatefile /a/cert"),
    ("IdentityAgent /a/agent", "identityagent /a/agent"),
    ("AddKeysToAgent confirm", "addkeystoagent confirm"),
    ("PKCS11Provider /a/p11", "pkcs11provider /a/p11"),
    ("SecurityKeyProvider /a/sk", "securitykeyprovider /a/sk"),
    ("BatchMode yes", "batchmode yes"),
    ("NumberOfPasswordPrompts 1", "numberofpasswordprompts 1"),
    ("PreferredAuthentications publickey", "preferredauthentications publickey"),
    ("PubkeyAuthentication unbound", "pubkeyauthentication unbound"),
    ("PasswordAuthentication no", "passwordauthentication no"),
    ("KbdInteractiveAuthentication no", "kbdinteractiveauthentication no"),
    ("KbdInteractiveDevices pam", "kbdinteractivedevices pam"),
    ("HostbasedAuthentication yes", "hostbasedauthentication yes"),
    ("EnableSSHKeysign yes", "enablesshkeysign yes"),
    ("GlobalKnownHostsFile /a/known", "globalknownhostsfile /a/known"),
    ("KnownHostsCommand /a/command", "knownhostscommand /a/command"),
    ("RevokedHostKeys /a/revoked", "revokedhostkeys /a/revoked"),
    ("VerifyHostKeyDNS yes", "verifyhostkeydns true"),
    ("NoHostAuthenticationForLocalhost yes", "nohostauthenticationforlocalhost yes"),
    ("FingerprintHash md5", "fingerprinthash md5"),
    ("Match exec \"true\"\n  Compression yes", "compression yes"),
    ("IgnoreUnknown NoSuchKeyword\nNoSuchKeyword 1\nCompression yes", "compression yes"),
];

/// Lines that `config.toml` decides, and what `ssh -G` then has.
const REPLACED: &[(&str, &str)] = &[
    ("ConnectTimeout 77", "connecttimeout 30"),
    ("ServerAliveInterval 77", "serveraliveinterval 5"),
    ("ServerAliveCountMax 77", "serveralivecountmax 6"),
    ("StrictHostKeyChecking no", "stricthostkeychecking accept-new"),
    ("HostKeyAlias x", "hostkeyalias soong.a1b2c3d4"),
    ("CheckHostIP yes", "checkhostip no"),
    ("HashKnownHosts yes", "hashknownhosts no"),
];

/// A user whose `ssh_config` says `lines` of every host; returns the file, too.
fn configured(instance: &Instance, lines: &str) -> Sandbox {
    with_file(Sandbox::with(instance), lines)
}

fn with_file(mut sandbox: Sandbox, lines: &str) -> Sandbox {
    write(&sandbox, lines);
    let options = format!("-F {}", path(&file(&sandbox)));
    sandbox.configure(|config| {
        config.set(["ssh", "options"], options);
    });
    sandbox
}

fn file(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.path("home/ssh_config")
}

fn write(sandbox: &Sandbox, lines: &str) {
    sandbox.write(&file(sandbox), format!("Host *\n{}\n", lines.replace("ROOT", path(&sandbox.path("tmp")))));
}

/// Returns the settings that ssh derives from a tunnel's command line, as `keyword value` lines in lower
/// case.
fn effective(sandbox: &Sandbox) -> Vec<String> {
    let shown = sandbox.tunnel(["start", "--dry-run"]).stdout_has("").run().stdout;
    let words = shell_words::split(shown.lines().next().unwrap()).unwrap();
    let output = Command::new(&words[0]).arg("-G").args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().to_lowercase().lines().map(str::to_owned).collect()
}

#[test]
fn what_is_about_sessions_and_forwards_is_ignored() {
    let instance = Instance::start();
    let taken = ports::free();
    let _holders = ports::occupy(taken);
    let sandbox = configured(&instance, "");
    for lines in IGNORED {
        write(&sandbox, &lines.replace("TAKEN", &taken.to_string()));
        let output = sandbox.tunnel(["start"]).unchecked();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{lines}: {}", output.stdout);
        assert_eq!(get(&sandbox.url(0, "id")), "sglang", "{lines}");
        let status = sandbox.tunnel(["status"]).unchecked().stdout;
        assert!(status.starts_with("Tunnel is running\n"), "{lines}{status}");
        sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    }
    assert_eq!(instance.sshd.logins(), IGNORED.len(), "no link was lost");
}

#[test]
fn what_is_about_reaching_and_logging_in_is_obeyed() {
    let instance = Instance::start();
    let sandbox = configured(&instance, "");
    for (lines, expected) in OBEYED.iter().chain(REPLACED) {
        write(&sandbox, lines);
        let effective = effective(&sandbox);
        assert!(effective.iter().any(|line| line == expected), "{lines}: no '{expected}' in {effective:#?}");
    }
}

/// A connection that asks the status daemon has no session either.
#[test]
fn a_question_to_the_daemon_ignores_the_same() {
    let instance = Instance::start();
    let daemon = Daemon::start(1000);
    let sandbox = with_file(daemon.sandbox(&instance), "");
    let taken = ports::free();
    let _holders = ports::occupy(taken);
    for lines in IGNORED {
        write(&sandbox, &lines.replace("TAKEN", &taken.to_string()));
        let output = sandbox.soong(["extend", "1"]).unchecked();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{lines}");
        assert!(output.stdout.starts_with("Lease extended by 1 hour"), "{lines}: {}", output.stdout);
    }
    sandbox.assert_idle();
}

/// A session is the user's, but for what a command line and the tunnel need.
#[test]
fn a_session_leaves_nothing_in_the_tunnel() {
    let instance = Instance::start();
    let port = ports::free();
    let lines = format!("LocalForward {port} localhost:1\nRemoteCommand exit 3");
    let sandbox = configured(&instance, &lines);
    // It tells that it has come to know the host.
    sandbox.soong(["ssh", "--", "echo", "alone"]).stdout("alone\n").stderr_has("").run();
    sandbox.start(&instance);
    sandbox.soong(["ssh", "--", "echo", "shared"]).stdout("shared\n").run();
    assert!(ports::is_free(port));
    sandbox.soong(["ssh", "-S", "none", "--", "echo", "alone"]).stdout("alone\n").run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

#[test]
fn every_keyword_is_in_the_documentation() {
    let documentation = include_str!("../../docs/ssh-config.md").to_lowercase();
    let is_documented =
        |keyword: &str| documentation.contains(&format!("`{keyword}`")) || keyword.starts_with("gssapi");
    let output = Command::new(tool("ssh")).args(["-F", "none", "-TG", "x"]).output().unwrap();
    let known = String::from_utf8(output.stdout).unwrap().to_lowercase();
    let known = known.lines().filter_map(|line| line.split(' ').next()).filter(|keyword| *keyword != "host");
    let tested = OBEYED.iter().chain(REPLACED).map(|(lines, _)| *lines).chain(IGNORED.iter().copied());
    let tested = tested.flat_map(str::lines).filter_map(|line| line.split_whitespace().next());
    let tested = tested.map(str::to_lowercase).filter(|keyword| keyword != "nosuchkeyword");
    for keyword in known.map(str::to_owned).chain(tested) {
        assert!(is_documented(&keyword), "{keyword}");
    }
}

#[test]
fn ciphers_are_chosen_by_the_user_before_they_are_by_soong() {
    let instance = Instance::start();
    let sandbox = configured(&instance, "");
    let ciphers = || {
        let effective = effective(&sandbox);
        effective.iter().find_map(|line| line.strip_prefix("ciphers ")).unwrap().to_owned()
    };
    let ours = ciphers();
    write(&sandbox, "Include other\nInclude ROOT/conf.d/*\n");
    sandbox.write(&sandbox.path("tmp/conf.d/x"), "Ciphers -aes128-gcm*,chacha20*\n");
    let theirs = ciphers();
    assert!(!theirs.contains("chacha20") && !theirs.contains("aes128-gcm"), "{theirs}");
    // Only ssh knows for which host; none is preferred then.
    sandbox.write(&sandbox.path("tmp/conf.d/x"), "Host other.example\nCiphers aes256-ctr\n");
    let default = ciphers();
    assert_ne!(default, "aes256-ctr");
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("aes") {
        assert!(ours.starts_with("aes128-gcm@openssh.com,aes256-gcm@openssh.com,"), "{ours}");
        assert_ne!(default, ours);
    }
}

/// An alias in the user's file has its own account and key, which apply where the config names none.
#[test]
fn an_alias_brings_its_account_and_its_key() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let ssh_config = file(&sandbox);
    // Of our keys none is accepted.
    std::fs::create_dir(sandbox.path("home/.ssh")).unwrap();
    generate_key(&sandbox.path("home/.ssh/id_rsa"));
    let options = format!("-F {}", path(&ssh_config));
    sandbox.configure(|config| {
        config.set(["instances", "dev", "host"], "gpu-alias");
        config.remove("instances.dev", "user").remove("instances.dev", "port").remove("instances.dev", "key");
        config.remove("ssh", "user").remove("ssh", "key").set(["ssh", "options"], options);
    });
    let entry = |account: &str| {
        let (port, key) = (instance.sshd.port, instance.sshd.key());
        let reached = format!("HostName 127.0.0.1\nPort {port}\nIdentityFile {}\n", path(&key));
        sandbox.write(&ssh_config, format!("Host other\nUser other\nHost gpu-alias\n{account}\n{reached}"));
    };
    let command = || sandbox.tunnel(["start", "--dry-run"]).stdout_has("").run().stdout;
    entry("");
    assert!(command().contains(" -- ubuntu@gpu-alias\n"), "{}", command());
    assert!(!command().contains(" -i "), "{}", command());
    entry("User no-such-user");
    let refused = ["Error starting tunnel: ", "no-such-user@127.0.0.1: Permission denied"];
    sandbox.tunnel(["start"]).fails(1, refused).hint("of your ssh_config for user no-such-user").run();
    // That it is the local account's name does not make it ssh's own default.
    entry(&format!("User {}", user()));
    let block = sandbox.soong(["ssh", "config", "--print"]).stdout_has("").stderr_has("").run().stdout;
    assert!(block.contains(&format!("    User {}\n", user())), "{block}");
    assert!(block.contains(&format!("    IdentityFile={}\n", path(&instance.sshd.key()))), "{block}");
    assert_eq!(block.matches("IdentityFile").count(), 1, "{block}");
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.soong(["ssh", "-S", "none", "--", "echo", "alone"]).stdout("alone\n").run();
    // A user named on the command line does not get the session of another user.
    let other = sandbox.soong(["ssh", "ubuntu@dev", "--", "true"]).unchecked();
    assert!(other.code == 255 && other.stderr.contains("ubuntu@127.0.0.1: Permission denied"), "{other:?}");
    // The config takes precedence.
    sandbox.soong(["configure", "set", "ssh.user", "carol"]).run();
    sandbox.tunnel(["start", "--dry-run"]).stdout_has(" -- carol@gpu-alias\n").run();
}
