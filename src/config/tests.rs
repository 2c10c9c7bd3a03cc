//! Tables of configs: their meaning and their faults.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::error::Result;
use crate::system::paths::Paths;

fn parse(text: &str) -> Result<Config> {
    let paths = Paths::from_env().unwrap();
    Config::parse(text, Path::new("config.toml"), &paths)
}

fn fault(text: &str) -> String {
    let error = parse(text).unwrap_err();
    let hints: String = error.hints().iter().map(|hint| format!(" | {hint}")).collect();
    format!("{error}{hints}")
}

#[test]
fn an_empty_file_has_the_defaults() {
    let config = parse("").unwrap();
    let services: Vec<_> = config.services.iter().map(|s| (s.name.as_str(), s.remote, s.local)).collect();
    assert_eq!(services, [("sglang", 8000, 8000), ("n8n", 5678, 5678), ("status", 8080, 8080)]);
    assert_eq!(config.ssh.host_key_check, HostKeyCheck::Pin);
    assert_eq!(config.ssh.connect_timeout, Duration::from_secs(30));
    assert!(config.instances.is_empty());
}

#[test]
fn services_are_merged_over_the_defaults() {
    let config =
        parse("[services]\nn8n = false\nsglang = { remote = 30000, local = 8001 }\nweb = 80\nada = 81\n")
            .unwrap();
    let services: Vec<_> = config.services.iter().map(|s| (s.name.as_str(), s.remote, s.local)).collect();
    assert_eq!(services, [("sglang", 30000, 8001), ("status", 8080, 8080), ("ada", 81, 81), ("web", 80, 80)]);
}

#[test]
fn instances_inherit_from_ssh() {
    let config = parse(
        "[ssh]\nuser = \"me\"\nport = 2222\noptions = \"-o 'ProxyJump=a b' -C\"\n[instances.dev]\nhost = \"192.0.2.7\"\n[instances.\"a b\"]\nhost = \"x\"\nuser = \"root\"\nport = 22\nid = \"i-1\"\n",
    )
    .unwrap();
    assert_eq!(config.ssh.options, ["-o", "ProxyJump=a b", "-C"]);
    let [odd, dev] = config.instances.as_slice() else { panic!("two instances") };
    assert_eq!(
        (odd.name.as_str(), odd.id.as_str(), odd.user.as_str(), odd.port),
        ("a b", "i-1", "root", Some(22))
    );
    assert_eq!((dev.id.as_str(), dev.user.as_str(), dev.port), ("dev", "me", Some(2222)));
}

#[test]
fn providers_are_switched_on_by_name() {
    let config = parse("").unwrap();
    assert!(config.providers.is_empty());
    assert_eq!((config.lambda.base_url, config.lambda.api_key_command), (None, vec![]));
    let config = parse(
        "[providers]\nlambda = true\nmine = false\n\"my-own.2\" = true\n[lambda]\nbase-url = \"https://x\"\napi-key-command = \"pass show 'a b'\"\n",
    )
    .unwrap();
    assert_eq!(config.providers, ["lambda", "my-own.2"]);
    assert_eq!(config.lambda.base_url.as_deref(), Some("https://x"));
    assert_eq!(config.lambda.api_key_command, ["pass", "show", "a b"]);
}

#[test]
fn launches_have_defaults_and_limits() {
    assert!(parse("").unwrap().launch.budget.is_none());
    let launch = parse(
        "[launch]\nprovider = \"lambda\"\ngpu = [\"H100\", \"A100\"]\nregions = [\"us-*\"]\nmax-price = 2.49\nhours = 1.5\n\
         ssh-key = \"me\"\nfilesystems = [\"data\"]\nrecipe = \"/r.yaml\"\nguard = true\nbudget = 200\n",
    )
    .unwrap()
    .launch;
    assert_eq!((launch.max_price, launch.budget), (Some(249), Some(20_000)));
    assert_eq!((launch.gpu.len(), launch.regions, launch.guard), (2, vec!["us-*".to_owned()], true));
    assert_eq!((launch.time, launch.ssh_key.as_deref()), (Some(Duration::from_secs(5400)), Some("me")));
    let amount = "expected an amount from 0.01 to 1000000, with at most two decimal places, found";
    let hours = "expected a number of hours, from 0.1 to 720, found";
    let texts = "expected texts in an array, such as [\"a\", \"b\"], found";
    for (line, expected) in [
        ("budget = 0", format!("launch.budget: {amount} 0")),
        ("budget = -5", format!("launch.budget: {amount} -5")),
        ("budget = \"200\"", format!("launch.budget: {amount} \"200\"")),
        ("budget = inf", format!("launch.budget: {amount} inf")),
        ("max-price = 0.001", format!("launch.max-price: {amount} 0.001")),
        ("hours = 0", format!("launch.hours: {hours} 0")),
        ("hours = 721", format!("launch.hours: {hours} 721")),
        ("hours = nan", format!("launch.hours: {hours} nan")),
        ("gpu = \"H100\"", format!("launch.gpu: {texts} \"H100\"")),
        ("regions = [1]", format!("launch.regions: {texts} an array")),
        (
            "provider = \"../x\"",
            "launch.provider: expected the name of a provider in quotes, found \"../x\"".into(),
        ),
        ("guard = \"yes\"", "launch.guard: expected true or false, found \"yes\"".into()),
        ("ssh_key = \"x\"", "unknown key launch.ssh_key | did you mean 'ssh-key'?".into()),
    ] {
        assert_eq!(
            fault(&format!("[launch]\n{line}")),
            format!("cannot read config.toml: line 2: {expected}")
        );
    }
}

#[test]
fn faults_name_line_expectation_and_fix() {
    let table = [
        ("[ssh]\nprot = 1", "line 2: unknown key ssh.prot | did you mean 'port'?"),
        ("[shh]\nport = 1", "line 1: unknown key shh | did you mean 'ssh'?"),
        ("\n[ssh]\nport = \"abc\"", "line 3: ssh.port: expected a port (1 to 65535), found \"abc\""),
        ("ssh = 3", "line 1: ssh: expected a table, found 3"),
        ("[ssh]\nport = 0", "line 2: ssh.port: expected a port (1 to 65535), found 0"),
        ("[ssh]\nport = 70000", "line 2: ssh.port: expected a port (1 to 65535), found 70000"),
        (
            "[ssh]\nhost-key-check = true",
            "line 2: ssh.host-key-check: expected one of \"pin\", \"strict\", \"off\", found true",
        ),
        (
            "[ssh]\noptions = \"'\"",
            "line 2: ssh.options: expected words in quotes, themselves quoted as in a shell, found \"'\"",
        ),
        (
            "[services]\nsglang = [1]",
            "line 2: services.sglang: expected a port (1 to 65535), { remote = PORT, local = PORT } or false, found an array",
        ),
        (
            "[services]\nA_b = 1",
            "line 2: services: bad name \"A_b\" | service names consist of a-z, 0-9 and '-'",
        ),
        ("[providers]\nlambda = \"yes\"", "line 2: providers.lambda: expected true or false, found \"yes\""),
        (
            "[providers]\n\"../x\" = true",
            "line 2: providers: bad name \"../x\" | provider names consist of letters, digits, '.', '_' and '-', and begin with a letter or digit",
        ),
        ("[lambda]\nbase-ulr = \"x\"", "line 2: unknown key lambda.base-ulr | did you mean 'base-url'?"),
        ("[instances.x]\nuser = \"u\"", "line 1: instances.x has no host | add host = \"…\""),
        (
            "[instances.x]\nhost = \"-oProxyCommand=touch pwned\"",
            "line 2: instances.x.host: expected a host name or address in quotes, found \"-oProxyCommand=touch pwned\"",
        ),
        (
            "[instances.x]\nhost = \"203.0.113.7:40001\"",
            "line 2: instances.x.host: expected a host name or address in quotes, found \"203.0.113.7:40001\" | use separate keys: host = \"203.0.113.7\", port = 40001",
        ),
        (
            "[instances.x]\nhost = \"h\"\nuser = \"$(id)\"",
            "line 3: instances.x.user: expected a user name in quotes, found \"$(id)\"",
        ),
        (
            "[instances.a]\nhost = \"h\"\nid = \"1\"\n[instances.b]\nhost = \"h\"\nid = \"1\"",
            "instances.b has the same id as instances.a",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(fault(text), format!("cannot read config.toml: {expected}"), "{text}");
    }
}

#[test]
fn odd_instance_names_are_data_or_refused() {
    for name in ["a b", "it's", "$(touch pwned)", "größe"] {
        let config = parse(&format!("[instances.{name:?}]\nhost = \"h\"")).unwrap();
        assert_eq!(config.instances[0].name, name);
    }
    for name in ["-x", "a\nb", "", &"x".repeat(300)] {
        assert!(fault(&format!("[instances.{name:?}]\nhost = \"h\"")).contains("bad name"), "{name}");
    }
}

#[test]
fn broken_toml_is_told_with_its_line() {
    assert!(fault("[ssh]\nport = \n").starts_with("cannot read config.toml: line 2: not valid TOML: "));
    assert!(fault("a = 1\na = 2").starts_with("cannot read config.toml: line 2: not valid TOML: "));
}
