//! The keys of `config.toml` with type, default and summary.
//!
//! Checking, documentation and completion all use this table. A `*` in a path stands for a name that the user
//! chooses.

use super::forwarding;

/// A key of `config.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Path in the file, segments joined by dots.
    pub path: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// Default in TOML syntax without quotes; empty for none.
    pub default: &'static str,
    /// Meaning, in one line.
    pub summary: &'static str,
}

/// Type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A TCP port, 1 to 65535.
    Port,
    /// A number of seconds within the two bounds, inclusive.
    Seconds(u32, u32),
    /// A file name; `~/` is the home directory.
    Path,
    /// A host name, an address, or an alias of `~/.ssh/config`.
    Host,
    /// A user name.
    User,
    /// Free text, not empty.
    Text,
    /// Words, split and quoted as in a shell.
    Words,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A remote port, `{ remote = PORT, local = PORT }`, or `false` to leave a service out.
    Service,
    /// `true` or `false`.
    Switch,
    /// `true`, `false`, or a duration in quotes.
    OnDemand,
    /// A command line, split and quoted as in a shell, or `!` and a command for the shell.
    Alias,
    /// Forwards of one kind, as texts in an array.
    Forwards(forwarding::Kind),
    /// Texts in an array, none empty.
    Texts,
    /// Name of a provider.
    Provider,
    /// An amount of money with at most two decimal places, more than 0.
    Money,
    /// A number of hours, up to a month.
    Hours,
}

/// Largest amount of money, in the provider's currency.
pub const MONEY_MAX: u32 = 1_000_000;
/// Longest time for which an instance is rented, in hours.
pub const HOURS_MAX: u32 = 720;

impl Kind {
    /// Returns the end of the sentence "expected …".
    pub fn expectation(self) -> String {
        match self {
            Self::Port => "a port (1 to 65535)".into(),
            Self::Seconds(min, max) => format!("a number of seconds ({min} to {max})"),
            Self::Path => "a file name in quotes".into(),
            Self::Host => "a host name or address in quotes".into(),
            Self::User => "a user name in quotes".into(),
            Self::Text => "text in quotes".into(),
            Self::Words => "words in quotes, themselves quoted as in a shell".into(),
            Self::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", quoted.join(", "))
            }
            Self::Service => "a port (1 to 65535), { remote = PORT, local = PORT } or false".into(),
            Self::Switch => "true or false".into(),
            Self::OnDemand => "true, false, or a duration in quotes (1s to 30d), such as \"10m\"".into(),
            Self::Alias => "a command in quotes, such as \"tunnel start\" or \"!echo hello\"".into(),
            Self::Forwards(kind) => format!("texts in an array, each {}", kind.form()),
            Self::Texts => "texts in an array, such as [\"a\", \"b\"]".into(),
            Self::Provider => "the name of a provider in quotes".into(),
            Self::Money => format!("an amount from 0.01 to {MONEY_MAX}, with at most two decimal places"),
            Self::Hours => format!("a number of hours, from 0.1 to {HOURS_MAX}"),
        }
    }
}

const fn key(path: &'static str, kind: Kind, default: &'static str, summary: &'static str) -> Key {
    Key { path, kind, default, summary }
}

/// All keys, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key(
        "ssh.key",
        Kind::Path,
        "~/.ssh/id_rsa",
        "private key for logging in; default: every key in ~/.ssh with a usual name",
    ),
    key("ssh.user", Kind::User, "ubuntu", "user name on the instance"),
    key("ssh.port", Kind::Port, "22", "port of the instance's SSH server"),
    key(
        "ssh.host-key-check",
        Kind::Choice(&["pin", "strict", "off"]),
        "pin",
        "check of host keys: pin the first of each instance, accept only known ones (strict), or any (off)",
    ),
    key(
        "ssh.keepalive",
        Kind::Seconds(0, 3600),
        "5",
        "seconds between keepalives; after six unanswered ones the connection ends; 0 sends none",
    ),
    key(
        "ssh.connect-timeout",
        Kind::Seconds(1, 600),
        "30",
        "longest time for a tunnel to come up, in seconds",
    ),
    key("ssh.options", Kind::Words, "", "more arguments for ssh"),
    key(
        "tunnel.hold",
        Kind::Seconds(0, 3600),
        "30",
        "seconds that a new connection waits while the link is lost",
    ),
    key(
        "tunnel.only-me",
        Kind::Switch,
        "",
        "refuse connections of other local users (Linux); default: only for SOCKS proxies",
    ),
    key(
        "tunnel.on-demand",
        Kind::OnDemand,
        "false",
        "start ssh with the first connection and end it after this time without one; true means \"10m\"",
    ),
    key(
        "services.*",
        Kind::Service,
        "",
        "remote port of a service, also its local port unless { remote, local } is given",
    ),
    key("instances.*.host", Kind::Host, "", "address of the instance"),
    key(
        "instances.*.id",
        Kind::Text,
        "",
        "id for --instance-id and for the pinned host key; default: the name",
    ),
    key("instances.*.user", Kind::User, "", "user name on this instance; default: ssh.user"),
    key("instances.*.port", Kind::Port, "", "port of this instance's SSH server; default: ssh.port"),
    key("instances.*.key", Kind::Path, "", "private key for this instance; default: ssh.key"),
    key(
        "instances.*.forward",
        Kind::Forwards(forwarding::Kind::Local),
        "",
        "local forwards besides the services: [\"5432:db.internal:5432\"]",
    ),
    key(
        "instances.*.remote",
        Kind::Forwards(forwarding::Kind::Remote),
        "",
        "remote forwards: [\"9000:localhost:3000\"]",
    ),
    key("instances.*.socks", Kind::Port, "", "local port of a SOCKS proxy through the instance"),
    key(
        "instances.*.on-demand",
        Kind::OnDemand,
        "",
        "start this instance's ssh with the first connection; default: tunnel.on-demand",
    ),
    key("providers.*", Kind::Switch, "false", "list instances with soong-provider-NAME"),
    key(
        "lambda.base-url",
        Kind::Text,
        "https://cloud.lambda.ai/api/v1",
        "address of the Lambda Cloud API; $SOONG_LAMBDA_ENDPOINT takes precedence",
    ),
    key(
        "lambda.api-key-command",
        Kind::Words,
        "",
        "command that prints the API key, run without a shell; used instead of the stored key",
    ),
    key("runpod.base-url", Kind::Text, "https://rest.runpod.io/v1", "address of the RunPod API"),
    key(
        "runpod.catalog-url",
        Kind::Text,
        "https://api.runpod.io/v2/catalog",
        "address of RunPod's catalog of GPUs",
    ),
    key(
        "runpod.api-key-command",
        Kind::Words,
        "",
        "command that prints the API key, run without a shell; used instead of the stored key",
    ),
    key(
        "runpod.image",
        Kind::Text,
        "runpod/pytorch:2.8.0-py3.11-cuda12.8.1-cudnn-devel-ubuntu22.04",
        "container image of new pods; it must run an SSH server",
    ),
    key(
        "launch.provider",
        Kind::Provider,
        "",
        "provider to rent from; default: the only enabled one that can",
    ),
    key("launch.gpu", Kind::Texts, "", "GPUs to rent, the preferred one first; default: the cheapest of all"),
    key(
        "launch.regions",
        Kind::Texts,
        "",
        "regions to rent in, the preferred one first; * stands for any text",
    ),
    key("launch.max-price", Kind::Money, "", "highest price per hour; nothing dearer is launched"),
    key(
        "launch.hours",
        Kind::Hours,
        "4",
        "hours for which an instance is rented: they set the price shown and the guard's lease",
    ),
    key("launch.ssh-key", Kind::Text, "", "name of your SSH key at the provider"),
    key("launch.filesystems", Kind::Texts, "", "file systems of the provider to attach"),
    key("launch.recipe", Kind::Path, "", "cloud-init file for new instances; see docs/renting.md"),
    key(
        "launch.guard",
        Kind::Switch,
        "false",
        "install the status daemon, which ends the instance, after a launch",
    ),
    key("launch.budget", Kind::Money, "", "amount per month; a launch beyond it is refused"),
    key("alias.*", Kind::Alias, "", "command line that soong NAME runs; with a leading !, a shell command"),
    key(
        "completion.timeout",
        Kind::Seconds(1, 60),
        "1",
        "longest time for an extension to answer TAB, in seconds",
    ),
    key(
        "help.autocorrect",
        Kind::Choice(&["show", "prompt", "never"]),
        "show",
        "unknown command: show similar ones, prompt to run the closest, or never do either",
    ),
];

/// Keys that their table must have.
pub const REQUIRED: &[&str] = &["instances.*.host"];
