//! soong's own commands. What else can be called is found on `PATH` (`extension`) or stands in the
//! config (aliases).

/// soong's own commands, in the order in which they are shown, with what they do.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("tunnel", "Make the ports of your GPU instance appear on localhost"),
    ("ssh", "Open a shell on your GPU instance, or run a command there"),
    ("status", "Show your instances, their tunnels and their leases"),
    ("extend", "Extend the lease of an instance"),
    ("configure", "Set up soong, or change one setting"),
    ("init", "Have your shell complete commands and show tunnels in its prompt"),
    ("prompt", "Show tunnels in a prompt or a status line"),
    ("ext", "List, check and make extensions: commands of others"),
];

/// Programs that are called by others, not typed.
const HELPERS: &[&str] = &["complete", "supervisor"];

/// Whether `name` is a command of soong's own, or what stands for its help.
pub fn is_built_in(name: &str) -> bool {
    name == "help" || BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
}

/// Whether `soong-NAME` is a program that others call.
pub fn is_helper(name: &str) -> bool {
    HELPERS.contains(&name) || name.starts_with("provider-")
}
