//! `man/soong-statusd.8`, made from the command line and the keys. Fails if it is out of date; with
//! `SOONG_GENERATE=1` (`make generate`) it is written.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "make generate says in the environment what to do"
)]

#[path = "../../../tests/generated/man/roff.rs"]
#[allow(dead_code, missing_docs, reason = "other pages need more of it")]
mod roff;

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use roff::{Page, escape};
use soong_statusd::config::keys::KEYS;
use soong_statusd::program::Arguments;

const DESCRIPTION: &str = "\
soong-statusd runs on a rented GPU instance and makes sure that it ends: when its lease is over, when
it reaches its hard limit, or when nothing has used it for a while. 'soong daemon install' on your own
machine copies it to an instance and starts it there.

Use is GPU load (NVML), an interactive login, a running or waiting request of SGLang or vLLM, a token
that they processed, and a request to the daemon itself: extend, keep or activity. A tunnel, its checks
and reading the status never count. What cannot be read counts as use, so that no machine ends by
mistake; it never prolongs the lease.

Users are warned 15 and 5 minutes before the end: on their terminals, in the log, by the hook ending,
and in /status, which soong status and the prompt show. If the idle limit is below 30 minutes, its
warnings come after half of it and after five sixths.

Lease, hard limit and keep go on over restarts, suspends and reboots, and steps of the wall clock do
not move them. After a reboot users have at least 15 minutes. A machine that was ended and is started
again gets a new lease.";

const REQUESTS: &[(&str, &str)] = &[
    ("GET /health", "Says that the daemon runs. Takes no token."),
    ("GET /", "A page for people. It asks for the token and keeps it in the browser's session."),
    (
        "GET /status",
        "instance_id, status (running, warning, ending), boot_time, uptime_minutes, idle_minutes, shutdown_at,\n\
         shutdown_in_minutes, gpu_utilization (percent, -1 unknown), model_loaded (not-loaded for none), gpus,\n\
         activity, why, ends_by (lease, limit, idle), lease_end, limit_at, idle_shutdown_at, keep_until,\n\
         end_attempts, end_error, dry_run and version.",
    ),
    (
        "POST /extend",
        "Form field hours, above 0 and at most 720. Answers extended_by_hours and new_shutdown_at, and a message\n\
         if the hard limit allows no more.",
    ),
    ("POST /activity", "Counts as use. Answers last_activity."),
    (
        "POST /keep",
        "Form field minutes (1 to 43200) or until (RFC 3339): no idle shutdown before then. Answers kept_until\n\
         and shutdown_at, and a message if the lease ends before that.",
    ),
    ("GET /metrics", "The same for Prometheus."),
];

const HOOK_VARIABLES: &[(&str, &str)] = &[
    ("SOONG_EVENT", "ending or ended"),
    ("SOONG_REASON", "lease, limit or idle"),
    ("SOONG_END_AT", "when the machine ends (RFC 3339, UTC)"),
    ("SOONG_MINUTES_LEFT", "minutes until then"),
    ("SOONG_INSTANCE_ID", "instance-id"),
];

fn page() -> String {
    let mut page = Page::new("soong-statusd", 8, "Guard a GPU instance");
    page.section("SYNOPSIS");
    page.line(
        "\\fBsoong\\-statusd\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-check\\fR] [\\fICOMMAND\\fR]",
    );
    page.section("DESCRIPTION");
    page.paragraphs(DESCRIPTION);
    page.section("OPTIONS");
    for argument in Arguments::command().get_arguments() {
        let long = argument.get_long().unwrap();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default = argument
            .get_default_values()
            .first()
            .map_or_else(String::new, |default| format!(" (default {})", default.to_string_lossy()));
        page.term(&format!("--{long}"), &format!("{help}{default}"));
    }
    page.section("COMMANDS");
    page.paragraphs(
        "These ask the daemon that runs on this machine, and exit. They read the token, so they need root.",
    );
    for command in Arguments::command().get_subcommands() {
        let argument =
            command.get_arguments().next().map(|argument| argument.get_id().as_str().to_uppercase());
        let term = format!("{} {}", command.get_name(), argument.unwrap_or_default());
        page.term(term.trim_end(), &command.get_about().map(ToString::to_string).unwrap_or_default());
    }
    page.section("CONFIGURATION");
    page.paragraphs(
        "statusd.toml is TOML. It must belong to root and be closed to other users. Unknown keys and values\n\
         that do not fit are errors.",
    );
    for key in KEYS {
        let default = if key.default.is_empty() { "none" } else { key.default };
        let text = format!(
            "{}.\nExpected: {}.\nDefault: {default}.\nExample: {} = {}",
            key.summary, key.expected, key.name, key.example
        );
        page.term(key.name, &text);
    }
    page.section("REQUESTS");
    page.paragraphs("All but the first two carry the header Authorization: Bearer TOKEN.");
    for (request, meaning) in REQUESTS {
        page.term(request, meaning);
    }
    page.section("HOOKS");
    page.paragraphs("Hooks find in their environment:");
    for (variable, meaning) in HOOK_VARIABLES {
        page.term(variable, meaning);
    }
    page.section("\"EXIT STATUS\"");
    page.term("0", "stopped by a signal, or the configuration is valid (--check)");
    page.term("1", "the configuration, the state directory or the address cannot be used");
    page.term("2", "the command line makes no sense");
    page.section("FILES");
    page.term("/etc/soong/statusd.toml", "configuration");
    page.term(
        "/etc/soong/config.toml, credentials.toml",
        "configuration and API key of the provider that terminates",
    );
    page.term("/var/lib/soong/state.json", "lease, hard limit and keep");
    page.section("EXAMPLES");
    page.example(
        "token-file = \"/etc/soong/token\"\n\
         lease = \"4h\"\n\
         limit = \"12h\"\n\
         models = [\"http://127.0.0.1:8000\"]\n\
         end = { terminate = \"lambda\" }",
    );
    page.section("\"SEE ALSO\"");
    for (name, section) in [("soong-daemon", 1), ("soong-extend", 1), ("soong-keep", 1), ("soong-status", 1)]
    {
        page.line(&format!(".BR {} ({section}),", escape(name)));
    }
    page.line(".BR systemd.service (5)");
    page.finish()
}

#[test]
fn the_manual_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man/soong-statusd.8");
    let expected = page();
    if fs::read_to_string(&file).unwrap_or_default() == expected {
        return;
    }
    assert!(
        std::env::var_os("SOONG_GENERATE").is_some(),
        "man/soong-statusd.8 is stale: run 'make generate'"
    );
    fs::write(&file, expected).unwrap();
}
