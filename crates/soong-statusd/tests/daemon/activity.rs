//! Use that keeps a machine up.

use crate::support::{Daemon, Machine, ModelServer, utmp_record, wait_until, write};

const IDLE: &str = "idle = \"2s\"\n";

fn page(running: u32, tokens: u32) -> String {
    format!(
        "# TYPE sglang:num_running_reqs gauge\nsglang:num_running_reqs{{model_name=\"qwen\"}} {running}.0\n\
         sglang:num_queue_reqs{{model_name=\"qwen\"}} 0.0\n\
         sglang:generation_tokens_total{{model_name=\"qwen\"}} {tokens}.0\n"
    )
}

fn machine_with(server: &ModelServer, config: &str) -> Machine {
    Machine::ending(&format!("models = [\"http://127.0.0.1:{}\"]\n{IDLE}{config}", server.port))
}

fn why(daemon: &Daemon) -> String {
    daemon.status()["why"].as_str().unwrap().to_owned()
}

/// Waits until the idle limit has passed twice since a moment ago, told by the daemon's uptime.
fn outlive(daemon: &Daemon) {
    let uptime = || {
        let page = daemon.get("/metrics").body;
        let line = page.lines().find(|line| line.starts_with("soong_uptime_seconds ")).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    let end = uptime() + 5;
    wait_until("twice the idle limit", || uptime() >= end);
}

#[test]
fn requests_and_tokens_of_a_model_server_keep_a_machine_up() {
    let server = ModelServer::start(Some(&page(2, 100)));
    let machine = machine_with(&server, "");
    let daemon = machine.start();
    assert!(why(&daemon).contains(" has 2 requests; the lease ends it in "), "{}", why(&daemon));
    assert_eq!(daemon.status()["model_loaded"], "qwen2.5-coder-32b");
    outlive(&daemon);
    assert!(!machine.has_ended(), "{}", daemon.log());
    // Short requests that no look catches still leave tokens.
    for tokens in 0..5 {
        server.set(&page(0, 200 + tokens));
        wait_until("the tokens to count", || {
            let status = daemon.status();
            status["activity"]["models"]["state"] == "busy" || status["idle_minutes"] == 0
        });
    }
    wait_until("the end", || machine.has_ended());
}

#[test]
fn a_model_server_without_metrics_is_unknown_and_one_that_is_off_is_not_used() {
    let server = ModelServer::start(None);
    let machine = machine_with(&server, "");
    let daemon = machine.start();
    assert!(why(&daemon).contains("start SGLang with --enable-metrics"), "{}", why(&daemon));
    outlive(&daemon);
    assert!(!machine.has_ended(), "{}", daemon.log());
    server.set("up 1\n");
    wait_until("another page", || why(&daemon).contains("is not that of SGLang or vLLM"));
    let off = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = off.local_addr().unwrap().port();
    drop(off);
    let machine = Machine::ending(&format!("models = [\"http://127.0.0.1:{port}\"]\n{IDLE}"));
    let _daemon = machine.start();
    wait_until("the end", || machine.has_ended());
}

/// Asked one after the other, they would take a minute and more, and systemd's watchdog would kill the daemon before it
/// ends anything.
#[test]
fn servers_that_hang_do_not_put_off_the_end_of_a_lease() {
    let silent: Vec<_> = (0..20).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let urls: Vec<_> = silent.iter().map(|it| format!("\"http://{}\"", it.local_addr().unwrap())).collect();
    let machine = Machine::ending(&format!("models = [{}]\nlease = \"1s\"\n", urls.join(", ")));
    let begun = std::time::Instant::now();
    let daemon = machine.start();
    wait_until("the end", || machine.has_ended());
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(daemon.status()["activity"]["models"]["detail"].as_str().unwrap().contains("no answer in 5 s"));
}

#[test]
fn a_login_keeps_a_machine_up_and_a_tunnel_does_not() {
    let machine = Machine::ending(IDLE);
    // A connection without a terminal has a line that is none.
    write(&machine.file("utmp"), &[utmp_record("pts/7777"), utmp_record("notty")].concat());
    let daemon = machine.start();
    assert!(why(&daemon).contains("ubuntu is logged in on pts/7777"), "{}", why(&daemon));
    outlive(&daemon);
    assert!(!machine.has_ended(), "{}", daemon.log());
    write(&machine.file("utmp"), &utmp_record("notty"));
    wait_until("the end", || machine.has_ended());
}

#[test]
fn without_a_driver_gpu_load_is_unknown_and_counts_as_use() {
    if std::path::Path::new("/dev/nvidiactl").exists() {
        eprintln!("this machine has a GPU; its load is not unknown");
        return;
    }
    let machine = Machine::ending(IDLE).with_gpu();
    let daemon = machine.start();
    wait_until("a look", || why(&daemon).contains("GPU unknown, which counts as use: no NVIDIA driver"));
    outlive(&daemon);
    assert!(!machine.has_ended(), "{}", daemon.log());
}

#[test]
fn polling_the_daemon_is_no_use() {
    let machine = Machine::ending(IDLE);
    let daemon = machine.start();
    wait_until("the end in spite of questions", || {
        daemon.get("/metrics");
        daemon.request("GET", "/health", None, "");
        daemon.status()["status"] == "ending"
    });
}

#[test]
fn a_request_is_use() {
    let machine = Machine::ending(IDLE);
    let daemon = machine.start();
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(5) {
        assert_eq!(daemon.post("/activity", "").status, 200, "{}", daemon.log());
    }
    assert!(!machine.has_ended(), "{}", daemon.log());
    wait_until("the end", || machine.has_ended());
}
