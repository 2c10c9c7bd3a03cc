//! Built-in commands. Extensions are found on `PATH` ([`crate::extension`]), aliases in the config.

/// Names and summaries of the built-in commands, in the order of the overview.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("tunnel", "Forward an instance's ports to localhost"),
    ("ssh", "Open a shell on an instance, or run a command there"),
    ("code", "Open an editor on an instance"),
    ("status", "Show instances, their tunnels and leases"),
    ("offers", "List machines for rent"),
    ("launch", "Rent an instance and open a tunnel to it"),
    ("terminate", "Terminate rented instances"),
    ("cost", "Show what instances cost in a month"),
    ("extend", "Extend the lease of an instance"),
    ("keep", "Keep an unused instance up for a while"),
    ("daemon", "Install the status daemon on an instance"),
    ("service", "Start tunnels at login"),
    ("doctor", "Find out why a tunnel does not work"),
    ("configure", "Set up soong, or change single settings"),
    ("init", "Set up completion and the prompt"),
    ("prompt", "Print the tunnels for a prompt or status line"),
    ("ext", "Manage extensions"),
];

/// Programs that other programs run; not listed.
const HELPERS: &[&str] = &["complete", "statusd", "supervisor"];

/// Returns true for a built-in command and for `help`.
pub fn is_built_in(name: &str) -> bool {
    name == "help" || BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
}

/// Returns true if `soong-NAME` is a program that other programs run.
pub fn is_helper(name: &str) -> bool {
    HELPERS.contains(&name) || name.starts_with("provider-")
}

/// Returns true if `line` of a shell's startup file loads soong's hook, as documented or as `soong init --install`
/// writes it.
pub fn calls_init(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_start();
    !line.starts_with('#') && line.contains("soong init ")
}
