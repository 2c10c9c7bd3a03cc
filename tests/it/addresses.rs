//! Addresses that a running tunnel gives to programs: `url` and `env`, and its log.

use std::process::Command;

use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;

#[test]
fn programs_learn_where_the_services_are() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["url", "sglang"]).fails(1, ["soong-tunnel: no tunnel is running"]).run();
    sandbox.start(&instance);
    let [sglang, n8n, status] = sandbox.config.local;
    sandbox.tunnel(["url", "n8n"]).stdout(format!("http://localhost:{n8n}\n")).run();
    sandbox
        .tunnel(["url", "sglan"])
        .fails(1, ["soong-tunnel: no service 'sglan' in this tunnel"])
        .stderr_has("did you mean 'sglang'?")
        .run();
    let exports = sandbox.tunnel(["env"]).stdout_has("").run().stdout;
    let script = format!("{exports}\necho $OPENAI_BASE_URL $SOONG_SGLANG_URL $SOONG_STATUS_URL");
    let said = Command::new("sh").args(["-c", &script]).output().unwrap();
    let expected =
        format!("http://localhost:{sglang}/v1 http://localhost:{sglang} http://localhost:{status}\n");
    assert_eq!(String::from_utf8(said.stdout).unwrap(), expected);
    let exports = sandbox.tunnel(["env", "--shell", "fish"]).stdout_has("").run().stdout;
    let script = format!("{exports}\necho $SOONG_N8N_URL");
    let said = Command::new("fish").args(["--no-config", "-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), format!("http://localhost:{n8n}\n"));
}

#[test]
fn the_log_tells_what_happened() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["logs"]).fails(1, ["soong-tunnel: no logs yet"]).run();
    sandbox.start(&instance);
    sandbox.tunnel(["logs"]).stdout_has("up: 127.0.0.1\n").run();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.tunnel(["logs", "-n", "1"]).stdout_has("Z stopped\n").run();
    sandbox.tunnel(["logs", "missing"]).fails(1, ["soong-tunnel: no instance 'missing'"]).run();
}
