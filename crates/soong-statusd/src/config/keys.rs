//! Every key of `statusd.toml`, for the manual.

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its name, with that of its table.
    pub name: &'static str,
    /// Meaning, as prose.
    pub summary: &'static str,
    /// The values it takes.
    pub expected: &'static str,
    /// Its default; empty for none.
    pub default: &'static str,
    /// A value, as TOML.
    pub example: &'static str,
}

const DURATION: &str = "a duration: a number with s, m, h or d, or several of them (2h 30m)";

/// All keys, in the order of the manual.
pub const KEYS: &[Key] = &[
    Key {
        name: "token",
        summary: "Secret that every request except GET /health and GET / carries as Bearer token. \
                  Required, unless token-file is set",
        expected: "at least 16 visible ASCII characters",
        default: "",
        example: "\"0123456789abcdef0123456789abcdef\"",
    },
    Key {
        name: "token-file",
        summary: "File that holds the token. It must be closed to other users",
        expected: "a path",
        default: "",
        example: "\"/etc/soong/token\"",
    },
    Key {
        name: "instance-id",
        summary: "Id of the instance at its provider: reported by /status and passed to the provider by terminate",
        expected: "text",
        default: "the host name",
        example: "\"0920582c7ff041399e34823a0be62549\"",
    },
    Key {
        name: "listen",
        summary: "Address and port to listen on. Anything but loopback sends the token over the network in \
                  plain text, and a warning is logged",
        expected: "an address and a port",
        default: "127.0.0.1:8080",
        example: "\"127.0.0.1:8080\"",
    },
    Key {
        name: "lease",
        summary: "Length of a new lease. soong extend adds to it",
        expected: DURATION,
        default: "4h",
        example: "\"4h\"",
    },
    Key {
        name: "limit",
        summary: "Hard limit: the longest the machine lives, however often its lease is extended",
        expected: DURATION,
        default: "8h",
        example: "\"12h\"",
    },
    Key {
        name: "idle",
        summary: "Ends the machine when nothing has used it for this long. 0 switches this off",
        expected: DURATION,
        default: "30m",
        example: "\"45m\"",
    },
    Key {
        name: "gpu",
        summary: "Counts GPU load as use. Without an NVIDIA driver the load is unknown, which counts as use: \
                  set this to false on a machine without GPU",
        expected: "true or false",
        default: "true",
        example: "false",
    },
    Key {
        name: "gpu-threshold",
        summary: "A GPU is in use if its load is above this many percent",
        expected: "a number from 0 to 100",
        default: "5",
        example: "10",
    },
    Key {
        name: "sessions",
        summary: "Counts interactive logins as use. A connection without a terminal, such as a tunnel, never counts",
        expected: "true or false",
        default: "true",
        example: "false",
    },
    Key {
        name: "utmp",
        summary: "File that lists logins, in the format of utmp(5)",
        expected: "a path",
        default: "/run/utmp and the sessions of systemd-logind",
        example: "\"/var/run/utmp\"",
    },
    Key {
        name: "models",
        summary: "SGLang and vLLM servers whose running and waiting requests count as use. Their /metrics must be \
                  on: start SGLang with --enable-metrics",
        expected: "an array of URLs",
        default: "none",
        example: "[\"http://127.0.0.1:8000\"]",
    },
    Key {
        name: "state",
        summary: "Directory that keeps lease, hard limit and keep over restarts and reboots",
        expected: "a path",
        default: "/var/lib/soong",
        example: "\"/var/lib/soong\"",
    },
    Key {
        name: "end",
        summary: "How the machine is ended: shut down, by a command, or by terminate of the executable \
                  soong-provider-NAME. It is repeated until it worked",
        expected: "\"poweroff\", an array of words, or { terminate = \"NAME\" }",
        default: "poweroff",
        example: "{ terminate = \"lambda\" }",
    },
    Key {
        name: "dry-run",
        summary: "Warns and runs hooks, but leaves out the end",
        expected: "true or false",
        default: "false",
        example: "true",
    },
    Key {
        name: "hooks.ending",
        summary: "Command that runs with each warning, 15 and 5 minutes before the end",
        expected: "an array of words, the first an absolute path",
        default: "none",
        example: "[\"/usr/local/bin/save-checkpoint\"]",
    },
    Key {
        name: "hooks.ended",
        summary: "Command that runs before the machine is ended",
        expected: "an array of words, the first an absolute path",
        default: "none",
        example: "[\"/usr/local/bin/sync-results\"]",
    },
    Key {
        name: "hooks.timeout",
        summary: "The longest a hook may run before it is killed",
        expected: DURATION,
        default: "1m",
        example: "\"5m\"",
    },
];
