//! `get`, `set`, `unset`, `list` and `path`.

use serde_json::Value;

use super::{WITH_CARE, home};
use crate::support::sandbox::Sandbox;

#[test]
fn a_change_leaves_everything_else_as_it_was_written() {
    let sandbox = home(WITH_CARE);
    sandbox.conf(["set", "ssh.port", "2222"]).run();
    assert_eq!(sandbox.config_text(), WITH_CARE.replace("  22 #", "  2222 #"));
    sandbox.conf(["set", "ssh.port", "22"]).run();
    sandbox.conf(["set", "services.comfyui", "8188"]).run();
    assert_eq!(sandbox.config_text(), WITH_CARE.replace("# never\n", "# never\ncomfyui = 8188\n"));
    sandbox.conf(["unset", "services.comfyui"]).run();
    assert_eq!(sandbox.config_text(), WITH_CARE);
    sandbox.conf(["set", "ssh.options", "-o ProxyJump=bastion"]).run();
    sandbox.conf(["get", "ssh.options"]).stdout("-o ProxyJump=bastion\n").run();
}

#[test]
fn what_is_not_written_has_its_default() {
    let sandbox = home("");
    sandbox.conf(["get", "ssh.user"]).stdout("ubuntu\n").run();
    sandbox.conf(["get", "services.n8n"]).stdout("5678\n").run();
    sandbox.conf(["get", "ssh.options"]).fails(1, ["ssh.options is not set"]).run();
    sandbox.conf(["unset", "ssh.user"]).stderr("ssh.user was not set\n").run();
}

#[test]
fn a_value_is_refused_in_the_words_of_the_config() {
    for (key, value, toml) in [
        ("ssh.port", "abc", "[ssh]\nport = \"abc\""),
        ("ssh.port", "70000", "[ssh]\nport = 70000"),
        ("ssh.host-key-check", "sometimes", "[ssh]\nhost-key-check = \"sometimes\""),
        ("services.web", "true", "[services]\nweb = true"),
        ("instances.dev.host", "-oProxyCommand=x", "[instances.dev]\nhost = \"-oProxyCommand=x\""),
    ] {
        let sandbox = home(WITH_CARE);
        let refused = sandbox.conf(["set", key, value]).fails(2, [key, "expected", "found"]).run();
        let words =
            refused.stderr.lines().next().unwrap().strip_prefix("soong-configure: ").unwrap().to_owned();
        assert_eq!(sandbox.config_text(), WITH_CARE);
        sandbox.write(&sandbox.config_file(), toml);
        sandbox.conf(["list"]).fails(1, ["line 2: ", &words]).run();
    }
}

/// As people type it, and as consoles of providers show it.
#[test]
fn an_address_may_hold_a_user_and_a_port() {
    let written = "[instances.dev]\nhost = \"192.0.2.7\"\nuser = \"root\"\nport = 40001\n";
    let sandbox = home("");
    sandbox.conf(["set", "instances.dev.host", "root@192.0.2.7:40001"]).run();
    assert_eq!(sandbox.config_text(), written);
    // Settings that the command does not name stay.
    sandbox.conf(["set", "instances.dev.host", "2001:db8::1"]).run();
    assert_eq!(sandbox.config_text(), written.replace("192.0.2.7", "2001:db8::1"));
    sandbox
        .conf(["set", "instances.dev.host", "192.0.2.7:0"])
        .fails(2, ["expected a host name", "192.0.2.7:0"])
        .run();
    sandbox.conf(["set", "instances.dev.host", "root@"]).fails(2, ["expected a host name"]).run();
    let sandbox = home("");
    let option = "dev=root@192.0.2.7:40001";
    sandbox.conf(["--instance", option]).stdout_has("Wrote").run();
    assert!(sandbox.config_text().contains(written), "{}", sandbox.config_text());
    sandbox.conf(["--instance", option]).stdout_has("No changes").run();
    sandbox.tunnel(["start", "--dry-run"]).stdout_has("-p 40001 -- root@192.0.2.7").run();
    sandbox.conf(["--instance", "dev=1:2:3"]).fails(2, ["'1:2:3' is not an address"]).run();
    // The command that a hint names for an instance with a space in its name is taken.
    let sandbox = home("[instances.\"my box\"]\nhost = \"h\"\n");
    sandbox
        .conf(["unset", "instances.\"my box\".host"])
        .fails(1, ["needs its host"])
        .hint("soong configure unset 'instances.\"my box\"'")
        .run();
    sandbox.conf(["unset", "instances.\"my box\""]).run();
}

#[test]
fn a_key_that_does_not_exist_is_answered_with_one_that_does() {
    let sandbox = home("");
    let unknown = |key| sandbox.conf(["set", key, "1"]).fails(2, ["unknown key", key]);
    unknown("ssh.prot").hint("did you mean 'ssh.port'?").run();
    unknown("shh.port").hint("did you mean 'ssh.port'?").run();
    unknown("port").hint("ssh.port").run();
    unknown("lambda.apikey").hint("did you mean 'lambda.api-key'?").run();
    sandbox
        .conf(["get", "instances.dev"])
        .fails(2, ["instances.dev is a table"])
        .hint("instances.dev.host")
        .run();
    sandbox.conf(["set", "a b", "1"]).fails(2, ["'a b' is not a key"]).hint("ssh.user").run();
    sandbox.conf(["set", "services.A_b", "1"]).fails(2, ["bad name"]).hint("service names").run();
    sandbox.conf(["set", "ssh.port"]).fails(2, ["no value for ssh.port"]).hint("a port (1 to 65535)").run();
    assert_eq!(sandbox.config_text(), "");
}

#[test]
fn a_change_that_would_break_the_config_is_not_made() {
    let sandbox = home(WITH_CARE);
    sandbox
        .conf(["set", "instances.b.user", "me"])
        .fails(1, ["instances.b has no host yet"])
        .hint("instances.b.host ADDRESS")
        .run();
    sandbox
        .conf(["unset", "instances.dev.host"])
        .fails(1, ["needs its host"])
        .hint("unset instances.dev")
        .run();
    sandbox.conf(["set", "instances.b.host", "h"]).run();
    let text = sandbox.config_text();
    sandbox.conf(["set", "instances.b.id", "dev"]).fails(1, ["would break the config", "the same id"]).run();
    assert_eq!(sandbox.config_text(), text);
}

#[test]
fn a_broken_config_is_told_and_can_be_mended() {
    let sandbox = home("[ssh]\nport = \"abc\"\n");
    sandbox.conf(["set", "ssh.user", "me"]).fails(1, ["line 2: ssh.port: expected a port"]).run();
    sandbox.conf(["set", "ssh.port", "2222"]).run();
    assert_eq!(sandbox.config_text(), "[ssh]\nport = 2222\n");
    sandbox.write(&sandbox.config_file(), "[ssh\n");
    sandbox.conf(["set", "ssh.user", "me"]).fails(1, ["line 1: not valid TOML"]).run();
    assert_eq!(sandbox.config_text(), "[ssh\n");
}

#[test]
fn an_instance_goes_as_a_whole() {
    let sandbox = home(WITH_CARE);
    sandbox.conf(["set", "instances.\"my box\".host", "192.0.2.8"]).run();
    sandbox.conf(["get", "instances.\"my box\".host"]).stdout("192.0.2.8\n").run();
    sandbox.conf(["unset", "instances.dev"]).run();
    let text = sandbox.config_text();
    assert!(!text.contains("192.0.2.7") && text.contains("# the end"), "{text}");
    sandbox.conf(["unset", "instances"]).fails(2, ["instances is a table"]).run();
}

#[test]
fn the_list_says_where_a_value_comes_from() {
    let sandbox = home(WITH_CARE);
    sandbox.write(&sandbox.credentials_file(), "[daemon]\ntoken = \"hush-hush\"\n");
    std::fs::set_permissions(sandbox.credentials_file(), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let text = sandbox.conf(["list"]).stdout_has("").run().stdout;
    let line = |key: &str| -> Vec<String> {
        let line =
            text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key}:\n{text}"));
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(line("ssh.port"), ["ssh.port", "22", "config.toml"]);
    assert_eq!(line("ssh.keepalive"), ["ssh.keepalive", "5", "default"]);
    assert_eq!(line("services.n8n"), ["services.n8n", "false", "config.toml"]);
    assert_eq!(line("ssh.options"), ["ssh.options", "-", "not", "set"]);
    assert_eq!(line("daemon.token"), ["daemon.token", "********", "credentials.toml"]);
    let elsewhere =
        sandbox.conf(["list"]).env("SOONG_LAMBDA_ENDPOINT", "http://127.0.0.1:9").stdout_has("").run().stdout;
    let words = ["lambda.base-url", "http://127.0.0.1:9", "environment"];
    assert!(elsewhere.lines().any(|line| line.split_whitespace().eq(words)), "{elsewhere}");
    let json = sandbox.conf(["list", "--json"]).stdout_has("").run().stdout;
    assert!(!json.contains("hush") && !text.contains("hush"), "{json}");
    let rows: Vec<Value> = serde_json::from_str(&json).unwrap();
    let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap();
    assert_eq!(row("ssh.port")["origin"], "file");
    assert_eq!(row("ssh.port")["file"], sandbox.config_file().to_str().unwrap());
    assert_eq!(row("daemon.token")["secret"], true);
    assert_eq!(row("lambda.api-key")["value"], Value::Null);
}

#[test]
fn paths_are_printed_for_scripts() {
    let sandbox = Sandbox::new();
    sandbox.conf(["path"]).stdout("[ROOT]/home/.config/soong/config.toml\n").run();
    sandbox.conf(["path", "--credentials"]).stdout("[ROOT]/home/.config/soong/credentials.toml\n").run();
    let elsewhere = sandbox.path("tmp/elsewhere.toml");
    sandbox.conf(["set", "ssh.port", "2222"]).env("SOONG_CONFIG", &elsewhere).run();
    assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "[ssh]\nport = 2222\n");
}

#[test]
fn a_value_that_has_no_effect_yet_is_set_with_a_warning() {
    let sandbox = home("[alias]\nst = \"status\"\n");
    let warning = |key: &str, value: &str, text: &str| {
        let output =
            sandbox.conf(["set", key, value]).stderr_has(format!("soong-configure: warning: {key}: ")).run();
        let shown = sandbox.normalise(&output.stderr);
        assert!(shown.contains(text), "{text}: {shown}");
        sandbox.conf(["get", key]).stdout(sandbox.normalise(&format!("{value}\n"))).run();
    };
    let missing = "cannot read [ROOT]/home/.ssh/nope: No such file or directory\n";
    warning("ssh.key", "~/.ssh/nope", missing);
    sandbox.conf(["set", "instances.dev.host", "192.0.2.7"]).run();
    warning("instances.dev.key", "~/.ssh/nope", missing);
    let public = sandbox.key("id", "").with_extension("pub");
    warning("ssh.key", public.to_str().unwrap(), "is not a private key");
    warning(
        "providers.lambd",
        "true",
        "soong-provider-lambd is not installed\nhint: did you mean 'lambda'?\n",
    );
    warning("providers.mine", "true", "hint: put soong-provider-mine on PATH\n");
    let enable =
        "the provider runpod is not enabled\nhint: enable it: soong configure set providers.runpod true\n";
    warning("launch.provider", "runpod", enable);
    warning("launch.recipe", "~/nope.yaml", "cannot read [ROOT]/home/nope.yaml");
    warning("alias.x", "statsu --json", "no command 'statsu'\nhint: did you mean 'status'");
    warning("alias.y", "x", "no command 'statsu'");
    // These do what they say.
    sandbox.key("good", "");
    for (key, value) in [
        ("ssh.key", "~/.ssh/good"),
        ("providers.lambda", "true"),
        ("providers.gone", "false"),
        ("launch.provider", "lambda"),
        ("alias.s", "st --json"),
        ("alias.h", "!echo hello"),
        ("alias.t", "tunnel start"),
    ] {
        sandbox.conf(["set", key, value]).run();
    }
}
