//! `soong-config.5`: all keys, from the table that checks them.

use soong::config::schema::{KEYS, Key, Kind};

use super::roff::Page;

pub fn page() -> String {
    let mut page = Page::new("soong-config", 5, "Configuration file of soong");
    page.section("DESCRIPTION");
    page.paragraphs(
        "soong reads ~/.config/soong/config.toml, or the file that $SOONG_CONFIG names. The file is TOML, and\n\
        every key is optional. An unknown key or a value of the wrong type is an error that names the line.\n\n\
        soong-configure(1) sets up the file, changes single keys without losing comments, and lists all keys\n\
        with their values. Running tunnels keep their settings; 'soong tunnel restart' applies a change.\n\n\
        soong refuses a configuration that other users can write. API keys and tokens (lambda.api-key,\n\
        runpod.api-key, daemon.token) are kept in credentials.toml beside it, which only you may read.\n\n\
        In the keys below, NAME is a name that you choose.",
    );
    page.section("KEYS");
    for key in KEYS {
        page.term(&key.path.replace('*', "NAME"), &described(key));
    }
    page.section("EXAMPLES");
    page.example(
        "[ssh]\n\
        key = \"~/.ssh/id_ed25519\"\n\n\
        [services]\n\
        comfyui = 8188\n\
        sglang = { remote = 8000, local = 8001 }\n\
        n8n = false\n\n\
        [instances.dev]\n\
        host = \"203.0.113.7\"\n\n\
        [providers]\n\
        lambda = true",
    );
    page.section("\"SEE ALSO\"");
    page.line(".BR soong (1),");
    page.line(".BR soong\\-configure (1)");
    page.finish()
}

/// Paragraphs on each key: key, text.
const DETAILS: &[(&str, &str)] = &[
    ("ssh.key", "If this is set, ssh offers no other key file. A leading ~/ is your home directory."),
    (
        "ssh.user",
        "If neither this nor the instance's user is set, User in ssh_config applies to instances whose host is a name.",
    ),
    ("ssh.port", "If neither this nor the instance's port is set, Port in ssh_config applies."),
    (
        "ssh.host-key-check",
        "pin stores keys under the id of the instance, so an IP address that now belongs to another instance raises no false alarm, and a changed key of the same instance is refused. strict accepts the keys in your known_hosts and those that you confirm at the terminal. off protects against nothing.",
    ),
    (
        "ssh.keepalive",
        "soong checks a link that owes an answer much earlier. With 0, a dead link that nothing uses stays unnoticed for a long time.",
    ),
    ("ssh.connect-timeout", "Applies to 'soong tunnel start' and to each reconnection."),
    (
        "ssh.options",
        "Quoted as in a shell. Forwards (-L, -R, -D) are refused here; use forward, remote and socks of the instance.",
    ),
    (
        "tunnel.hold",
        "The local ports stay open while soong reconnects. A connection that arrives meanwhile waits this long and is then closed.",
    ),
    (
        "tunnel.only-me",
        "Without it, every local user can use forwarded ports, as with ssh -L. The check asks the kernel for the owner of each connection.",
    ),
    (
        "tunnel.on-demand",
        "An idle tunnel keeps its ports open and costs nothing. A connection for which ssh would need an answer, such as a passphrase, is reset; 'soong tunnel status' says why.",
    ),
    (
        "services.*",
        "sglang = 8000, n8n = 5678 and status = 8080 exist unless you change them; false removes one. NAME is the argument of 'soong tunnel url' and --port, and part of the variable SOONG_NAME_URL that 'soong tunnel env' sets.",
    ),
    (
        "instances.*.host",
        "An address, a host name, or an alias of ssh_config. A table without host adds its forwards to an instance of that name or id that a provider lists.",
    ),
    ("instances.*.id", "Give a new machine a new id, and its host key is pinned anew."),
    ("instances.*.user", "Takes precedence over ssh_config."),
    ("instances.*.port", "Takes precedence over ssh_config."),
    ("instances.*.key", "If this is set, ssh offers no other key file."),
    (
        "instances.*.forward",
        "Each text is LOCAL:HOST:PORT or LOCAL:/SOCKET; LOCAL is a port of localhost or the path of a Unix socket. HOST is resolved on the instance.",
    ),
    (
        "instances.*.remote",
        "Each text is PORT:HOST:PORT. The first port is opened on the instance's localhost; HOST is resolved on this machine.",
    ),
    ("instances.*.socks", "Other local users cannot use the proxy on Linux, unless tunnel.only-me is false."),
    ("instances.*.on-demand", "An on-demand tunnel cannot have remote forwards."),
    (
        "providers.*",
        "The executable is looked up beside soong and then on PATH. docs/writing-a-provider.md describes how to write one.",
    ),
    ("lambda.base-url", "Must be https, or http on this machine."),
    (
        "lambda.api-key-command",
        "Quoted as in a shell, but run without one; the program is looked up in absolute directories of PATH only.",
    ),
    ("runpod.base-url", "Must be https, or http on this machine."),
    ("runpod.catalog-url", "Must be https, or http on this machine. Prices and capacity come from there."),
    (
        "runpod.api-key-command",
        "Quoted as in a shell, but run without one; the program is looked up in absolute directories of PATH only.",
    ),
    ("runpod.image", "RunPod's own images install the SSH keys of the account, or the one of --ssh-key."),
    ("launch.provider", "soong-launch(1) needs a provider that can launch; see soong-offers(1)."),
    ("launch.gpu", "Each text is part of a GPU's name, in any case. Overridden by --gpu."),
    ("launch.regions", "Overridden by --region."),
    ("launch.max-price", "Overridden by --max-price. An offer without a price is not launched under a cap."),
    (
        "launch.hours",
        "The plan shows the price of this time, and the budget is compared with it. With launch.guard, it is the lease of the instance; without it, nothing ends the instance. Overridden by --hours.",
    ),
    (
        "launch.ssh-key",
        "The private key that belongs to it must be one of yours, see ssh.key. Overridden by --ssh-key.",
    ),
    (
        "launch.filesystems",
        "File systems keep their data when an instance is terminated. Overridden by --filesystem.",
    ),
    ("launch.recipe", "Overridden by --recipe."),
    (
        "launch.guard",
        "Needs soong-statusd, see soong-daemon(1). Its limit is the same as the lease or 8 hours, whichever is longer.",
    ),
    (
        "launch.budget",
        "Months are those of your time zone. The cost so far, the rest of the rented time of running instances, and the price of the new one count. A launch beyond 80 % of it warns; --over-budget launches in spite of it.",
    ),
    (
        "alias.*",
        "Words are quoted as in a shell, and the arguments of soong NAME follow them. A built-in command or an extension of the same name takes precedence.",
    ),
    ("completion.timeout", "After that, TAB offers nothing from the extension."),
    ("help.autocorrect", "prompt asks only at a terminal."),
];

fn described(key: &Key) -> String {
    let example = example(key);
    assert!(example.parse::<toml::Table>().is_ok(), "{example}");
    let details = DETAILS.iter().find(|(path, _)| *path == key.path);
    let (_, details) = details.unwrap_or_else(|| panic!("{} has no paragraph in DETAILS", key.path));
    let default = if key.default.is_empty() { "none" } else { key.default };
    let facts = format!("Value: {}. Default: {default}. Example: {example}", key.kind.expectation());
    format!("{}. {details}\n\n{facts}", first_upper(key.summary))
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns the key with a value, as it can stand at the top of the file.
fn example(key: &Key) -> String {
    let name = match key.path.split('.').next() {
        Some("services") => "comfyui",
        Some("providers") => "lambda",
        Some("alias") => "up",
        _ => "dev",
    };
    let value = match (key.path, key.kind) {
        ("ssh.options", _) => "\"-o ProxyJump=gate\"".to_owned(),
        ("lambda.api-key-command", _) => "\"pass show lambda\"".to_owned(),
        ("runpod.api-key-command", _) => "\"pass show runpod\"".to_owned(),
        ("instances.*.id", _) => "\"a1b2c3d4\"".to_owned(),
        ("instances.*.port", _) => "2222".to_owned(),
        ("instances.*.socks", _) => "1080".to_owned(),
        ("launch.provider", _) => "\"lambda\"".to_owned(),
        ("launch.gpu", _) => "[\"H100\", \"A100\"]".to_owned(),
        ("launch.regions", _) => "[\"us-*\"]".to_owned(),
        ("launch.filesystems", _) => "[\"datasets\"]".to_owned(),
        ("launch.ssh-key", _) => "\"laptop\"".to_owned(),
        ("launch.recipe", _) => "\"~/.config/soong/vllm.yaml\"".to_owned(),
        ("launch.max-price", _) => "2.50".to_owned(),
        ("launch.budget", _) => "200".to_owned(),
        ("instances.*.forward", _) => "[\"5432:db.internal:5432\"]".to_owned(),
        ("instances.*.remote", _) => "[\"9000:localhost:3000\"]".to_owned(),
        (_, Kind::Service) => "8188".to_owned(),
        (_, Kind::Switch) => "true".to_owned(),
        (_, Kind::OnDemand) => "\"10m\"".to_owned(),
        (_, Kind::Host) => "\"203.0.113.7\"".to_owned(),
        (_, Kind::Path) => "\"~/.ssh/id_ed25519\"".to_owned(),
        (_, Kind::User) => "\"ubuntu\"".to_owned(),
        (_, Kind::Choice(words)) => format!("\"{}\"", words[words.len() - 1]),
        (_, Kind::Port | Kind::Seconds(..) | Kind::Hours) => key.default.to_owned(),
        ("alias.*", _) => "\"tunnel start --sglang-port 8001\"".to_owned(),
        _ => format!("\"{}\"", key.default),
    };
    format!("{} = {value}", key.path.replace('*', name))
}
