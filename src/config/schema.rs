//! Every key that `config.toml` may hold, with its type, default and meaning.
//!
//! One table, so that checking, documentation and completion can not drift apart. A `*` in a path
//! stands for a name that the user chooses.

use super::forwarding;

/// A key of `config.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its place, segments joined by dots.
    pub path: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// The value it has when it is not written, as it would be written; empty for none.
    pub default: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A TCP port, 1 to 65535.
    Port,
    /// A number of seconds between the two bounds, both allowed.
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
    /// A command line, split and quoted as in a shell, or `!` and a command for the shell.
    Alias,
    /// Forwards of one kind, as texts in an array.
    Forwards(forwarding::Kind),
}

impl Kind {
    /// What a value should be, to complete "expected …".
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
            Self::Alias => "a command in quotes, such as \"tunnel start\" or \"!echo hello\"".into(),
            Self::Forwards(kind) => format!("texts in an array, each {}", kind.form()),
        }
    }
}

const fn key(path: &'static str, kind: Kind, default: &'static str, summary: &'static str) -> Key {
    Key { path, kind, default, summary }
}

/// All keys, in the order in which they are documented.
pub const KEYS: &[Key] = &[
    key(
        "ssh.key",
        Kind::Path,
        "~/.ssh/id_rsa",
        "private key to log in with; by default every one of ssh's usual names that exists",
    ),
    key("ssh.user", Kind::User, "ubuntu", "account on the instance"),
    key("ssh.port", Kind::Port, "22", "port of the instance's SSH server"),
    key(
        "ssh.host-key-check",
        Kind::Choice(&["pin", "strict", "off"]),
        "pin",
        "pin: remember the first host key of each instance; strict: accept only keys you already know; off: accept any",
    ),
    key(
        "ssh.keepalive",
        Kind::Seconds(0, 3600),
        "5",
        "ask a silent server for a sign of life this often; the sixth silence ends the connection; 0 never asks",
    ),
    key("ssh.connect-timeout", Kind::Seconds(1, 600), "30", "longest time a tunnel may take to come up"),
    key("ssh.options", Kind::Words, "", "further arguments for ssh"),
    key(
        "tunnel.hold",
        Kind::Seconds(0, 3600),
        "30",
        "how long a new connection waits for a lost link before it is closed",
    ),
    key(
        "tunnel.only-me",
        Kind::Switch,
        "",
        "refuse connections that other users of this machine make (Linux); if not set, those to a SOCKS proxy only",
    ),
    key(
        "services.*",
        Kind::Service,
        "",
        "port of a service on the instance, and the local port it appears on",
    ),
    key("instances.*.host", Kind::Host, "", "address of the instance"),
    key(
        "instances.*.id",
        Kind::Text,
        "",
        "what --instance-id finds it by and its host key is pinned to; by default its name",
    ),
    key("instances.*.user", Kind::User, "", "account on this instance, when not ssh.user"),
    key("instances.*.port", Kind::Port, "", "port of this instance's SSH server, when not ssh.port"),
    key("instances.*.key", Kind::Path, "", "private key for this instance, when not ssh.key"),
    key(
        "instances.*.forward",
        Kind::Forwards(forwarding::Kind::Local),
        "",
        "what its tunnel forwards besides the services: [\"5432:db.internal:5432\"]",
    ),
    key(
        "instances.*.remote",
        Kind::Forwards(forwarding::Kind::Remote),
        "",
        "ports of the instance that lead to this side: [\"9000:localhost:3000\"]",
    ),
    key("instances.*.socks", Kind::Port, "", "local port of a SOCKS proxy that goes out from the instance"),
    key("providers.*", Kind::Switch, "false", "ask soong-provider-NAME for instances"),
    key(
        "lambda.base-url",
        Kind::Text,
        "https://cloud.lambda.ai/api/v1",
        "address of the API of Lambda Cloud; $SOONG_LAMBDA_ENDPOINT goes first",
    ),
    key(
        "lambda.api-key-command",
        Kind::Words,
        "",
        "program that prints the API key, run without a shell; asked instead of credentials.toml",
    ),
    key(
        "alias.*",
        Kind::Alias,
        "",
        "what soong NAME stands for: words as in a shell, or ! and a command for the shell; with the name of a command of soong's own or of an extension it is not used",
    ),
    key(
        "completion.timeout",
        Kind::Seconds(1, 60),
        "1",
        "longest time an extension may take to answer when TAB is pressed; after that nothing is offered",
    ),
    key(
        "help.autocorrect",
        Kind::Choice(&["show", "prompt", "never"]),
        "show",
        "what to do about an unknown command: show those that were meant, ask whether to run one, or neither",
    ),
];

/// Keys that a table cannot do without.
pub const REQUIRED: &[&str] = &["instances.*.host"];
