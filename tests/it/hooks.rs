//! Hooks: programs of the user that hear what happens to a tunnel, and cannot hold it up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::curl::get;
use crate::support::daemon::{Daemon, start};
use crate::support::http::{Reply, Server};
use crate::support::instance::Instance;
use crate::support::run::{Output, Run};
use crate::support::sandbox::Sandbox;
use crate::support::tools::{system_path, tool};
use crate::support::{process, wait};

/// Installs a hook that is this shell script.
pub fn hook(sandbox: &Sandbox, name: &str, script: &str) {
    let directory = sandbox.config_file().with_file_name("hooks");
    let file = directory.join(name);
    sandbox.write(&file, format!("#!/bin/sh\n{script}\n"));
    for path in [&directory, &file] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Hooks for all events that note a line in `events` each.
fn noting(sandbox: &Sandbox) {
    for name in ["up", "down", "failed"] {
        hook(sandbox, name, "echo \"$SOONG_EVENT $SOONG_REASON\" >>\"$HOME/events\"");
    }
}

fn events(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.home().join("events")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn wait_for(sandbox: &Sandbox, count: usize) {
    wait::until_true("the hooks to run", || events(sandbox).len() == count);
}

#[test]
fn hooks_hear_of_a_tunnel_that_goes_up_and_down() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    noting(&sandbox);
    sandbox.start(&instance);
    wait_for(&sandbox, 1);
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the second login", || instance.sshd.logins() == 2);
    wait::until_true("the tunnel to be told up again", || {
        events(&sandbox).last().is_some_and(|event| event.starts_with("up")) && events(&sandbox).len() >= 2
    });
    let before = events(&sandbox).len();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    wait_for(&sandbox, before + 1);
    let events = events(&sandbox);
    assert_eq!(events.first().unwrap(), "up ");
    assert_eq!(events.last().unwrap(), "down the tunnel was stopped");
    sandbox.assert_idle();
}

#[test]
fn hooks_get_the_facts_and_what_they_say_is_logged() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    hook(&sandbox, "up", "env | grep -e ^SOONG -e ^OPENAI | sort; echo why >&2; exit 3");
    sandbox.start(&instance);
    let [sglang, n8n, status] = sandbox.config.local;
    let log = || sandbox.tunnel(["logs"]).stdout_has("").run().stdout;
    wait::until_true("the hook to end", || log().contains("hook up: exit status: 3\n"));
    for said in [
        "SOONG_EVENT=up".to_owned(),
        "SOONG_HOST=127.0.0.1".to_owned(),
        "SOONG_INSTANCE_ID=a1b2c3d4".to_owned(),
        "SOONG_INSTANCE_NAME=dev".to_owned(),
        format!("SOONG_SGLANG_URL=http://localhost:{sglang}"),
        format!("SOONG_N8N_URL=http://localhost:{n8n}"),
        format!("SOONG_STATUS_URL=http://localhost:{status}"),
        format!("OPENAI_BASE_URL=http://localhost:{sglang}/v1"),
        "why".to_owned(),
    ] {
        assert!(log().contains(&format!("Z hook up: {said}\n")), "{said}: {}", log());
    }
}

#[test]
fn a_start_that_fails_is_told_to_its_hook() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    noting(&sandbox);
    instance.sshd.stop();
    sandbox.tunnel(["start"]).fails(1, ["Connection refused"]).run();
    wait_for(&sandbox, 1);
    assert!(events(&sandbox)[0].starts_with("failed ") && events(&sandbox)[0].contains("refused"));
    sandbox.assert_idle();
}

#[test]
fn a_hook_that_hangs_holds_nothing_up() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    hook(&sandbox, "up", "echo $$ >\"$HOME/pid\"; exec sleep 25");
    sandbox.start(&instance);
    wait::until_true("the hook to run", || sandbox.home().join("pid").exists());
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    let hooks = |line: &str| sandbox.processes().iter().filter(|p| p.command.contains(line)).count();
    wait::until_true("the hook to sleep", || hooks("sleep 25") == 1);
    sandbox.kill_all();
}

#[test]
fn a_hook_that_others_can_write_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    noting(&sandbox);
    let file = sandbox.config_file().with_file_name("hooks").join("up");
    let refused = |reason: &str| {
        sandbox.start(&instance);
        wait::until_true("the refusal", || {
            sandbox.tunnel(["logs"]).stdout_has("").run().stdout.contains(&format!("is not used: {reason}"))
        });
        sandbox.tunnel(["stop", "--quiet"]).run();
        assert!(events(&sandbox).iter().all(|event| !event.starts_with("up")), "{:?}", events(&sandbox));
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o777)).unwrap();
    refused("the file is writable by everyone; fix it: chmod go-w");
    // The link is safe where it lies.
    let open = sandbox.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&file, open.join("up")).unwrap();
    std::os::unix::fs::symlink(open.join("up"), &file).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    refused("its directory ");
}

#[test]
fn a_lease_that_ends_soon_is_told_with_the_minutes_left() {
    for (seconds, minutes) in [(14 * 60, "14"), (4 * 60, "4")] {
        let (instance, daemon) = (Instance::start(), Daemon::start(0));
        daemon.end_in(seconds);
        let sandbox = daemon.sandbox(&instance);
        hook(
            &sandbox,
            "lease-ending",
            "echo \"$SOONG_EVENT $SOONG_MINUTES_LEFT $SOONG_LEASE_END, $SOONG_REASON\" >>\"$HOME/events\"",
        );
        start(&sandbox).run();
        wait_for(&sandbox, 1);
        let end = humantime::format_rfc3339_seconds(
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(daemon.lease_end()),
        );
        let expected = format!("lease-ending {minutes} {end}, the lease ends in {minutes} min");
        assert_eq!(events(&sandbox), [expected]);
        let log = sandbox.tunnel(["logs"]).stdout_has(format!("Z the lease ends in {minutes} min\n"));
        log.run();
    }
}

/// The sample that is installed with the documentation.
fn install_sample(sandbox: &Sandbox, sample: &str, events: &[&str]) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hooks").join(sample);
    for event in events {
        hook(sandbox, event, "");
        let file = sandbox.config_file().with_file_name("hooks").join(event);
        fs::copy(&sample, &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn the_sample_for_a_webhook_posts_the_event_and_keeps_the_address_secret() {
    let instance = Instance::start();
    let (sandbox, chat) = (Sandbox::with(&instance), Server::start(|_| Reply::ok("ok")));
    install_sample(&sandbox, "webhook", &["up", "down"]);
    let url = sandbox.config_file().with_file_name("webhook-url");
    let secret = "/services/T00/B00/s3cret";
    sandbox.write(&url, format!("{}{secret}\n", chat.url()));
    // Notes the arguments, which other users can see.
    let curl = sandbox.path("bin/curl");
    sandbox.write(
        &curl,
        format!("#!/bin/sh\necho \"$*\" >>\"$HOME/arguments\"\nexec {} \"$@\"\n", tool("curl").display()),
    );
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
    let log = || sandbox.tunnel(["logs"]).stdout_has("").run().stdout;

    fs::set_permissions(&url, fs::Permissions::from_mode(0o644)).unwrap();
    let starting = sandbox.soong_with_bin(["tunnel", "start"]).stdout_has("SSH tunnel started");
    starting.run();
    let fix = "webhook-url can be read by other users: chmod 600 ";
    wait::until_true("the refusal", || log().contains(fix));
    assert_eq!(chat.requests().len(), 0);

    fs::set_permissions(&url, fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    wait::until_true("the message", || chat.requests().len() == 1);
    let request = chat.requests().remove(0);
    assert_eq!(request.line, format!("POST {secret}"));
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body, serde_json::json!({"text": "soong: dev is down: the tunnel was stopped"}));
    let arguments = fs::read_to_string(sandbox.home().join("arguments")).unwrap();
    assert!(!arguments.contains("s3cret"), "{arguments}");
}

/// Runs a sample as soong would, with these facts; returns what it printed.
fn run_sample(sandbox: &Sandbox, sample: &str, facts: &[(&str, &str)]) -> Output {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hooks").join(sample);
    let path = format!("{}:{}", sandbox.path("bin").display(), system_path().display());
    let run = Run::new(sandbox, &sample, [""; 0]).env("PATH", path);
    facts.iter().fold(run, |run, (name, value)| run.env(name, value)).stdout_has("").run()
}

#[test]
fn the_samples_word_every_event_and_pass_foreign_text_on_as_text() {
    let (sandbox, chat) = (Sandbox::new(), Server::start(|_| Reply::ok("ok")));
    let url = sandbox.config_file().with_file_name("webhook-url");
    sandbox.write(&url, format!("{}/x\n", chat.url()));
    fs::set_permissions(&url, fs::Permissions::from_mode(0o600)).unwrap();
    let notify = sandbox.path("bin/notify-send");
    sandbox.write(&notify, "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$HOME/notified\"\n");
    fs::set_permissions(&notify, fs::Permissions::from_mode(0o755)).unwrap();
    for (event, reason, text) in [
        ("up", "", "dev is up"),
        ("down", "link lost", "dev is down: link lost"),
        ("failed", "a \"b\" \\n <!channel> & $(id)\u{1b}", "dev has failed: a \"b\" \\n <!channel> & $(id)"),
        ("gone", "terminated", "dev is gone: terminated"),
        ("lease-ending", "the lease ends in 5 min", "dev: the lease ends in 5 min"),
        ("capacity", "there is capacity for a10 in x", "there is capacity for a10 in x"),
        ("launched", "", "dev was launched: gpu_1x_a10 in us-west-1, $0.75/h"),
        ("launch-failed", "no capacity", "the launch failed: no capacity"),
    ] {
        let name = if event == "capacity" || event == "launch-failed" { "" } else { "dev" };
        let facts = [
            ("SOONG_EVENT", event),
            ("SOONG_INSTANCE_NAME", name),
            ("SOONG_REASON", reason),
            ("SOONG_TYPE", "gpu_1x_a10"),
            ("SOONG_REGION", "us-west-1"),
            ("SOONG_PRICE", "$0.75"),
        ];
        run_sample(&sandbox, "notify", &facts);
        let markup = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let notified = fs::read_to_string(sandbox.home().join("notified")).unwrap();
        assert_eq!(notified, format!("--app-name=soong\n--\nsoong\n{markup}\n"), "{event}");
        run_sample(&sandbox, "webhook", &facts);
        let body: serde_json::Value = serde_json::from_str(&chat.requests().last().unwrap().body).unwrap();
        assert_eq!(body, serde_json::json!({"text": format!("soong: {markup}")}), "{event}");
    }
}

#[test]
fn the_samples_are_sound_shell() {
    for sample in ["notify", "webhook"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hooks").join(sample);
        let output = std::process::Command::new(tool("shellcheck")).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
