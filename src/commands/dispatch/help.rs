//! The texts that say which commands there are.

use crate::built_in::BUILT_IN;
use crate::extension::catalog::Extension;

/// How wide a line of the overview gets, in characters.
const WIDTH: usize = 80;

/// What `soong`, `soong --help` and `soong help` print.
pub(super) fn overview(extensions: &[Extension]) -> String {
    let mut text = String::from(
        "The GPU instance you rent, on your desk: its ports are on localhost

Usage: soong COMMAND [ARGUMENTS]

Commands:
",
    );
    let width = BUILT_IN.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max("help".len());
    for (name, summary) in BUILT_IN {
        text.push_str(&format!("  {name:width$}  {summary}\n"));
    }
    text.push_str(&format!("  {:width$}  Explain a command: soong help NAME\n", "help"));
    if !extensions.is_empty() {
        text.push_str("\nExtensions, found as soong-NAME on PATH:\n");
        for extension in extensions {
            let line = format!("  {:width$}  {}", extension.name, shown(extension));
            let clipped: String = line.trim_end().chars().take(WIDTH - 1).collect();
            let dots = if clipped.len() < line.trim_end().len() { "…" } else { "" };
            text.push_str(&format!("{clipped}{dots}\n"));
        }
    }
    text.push_str(
        "
Options:
      --color WHEN  Use colour: auto, always, never [default: auto]
  -h, --help        Print this text
  -V, --version     Print the version
      --list        Print all commands, a line each: name, tab, summary
      --exec-path   Print the directory that soong's own programs are in

Examples:
  soong tunnel start       localhost:8000 becomes the instance's
  soong help tunnel        everything about tunnels
",
    );
    text
}

fn shown(extension: &Extension) -> &str {
    if extension.summary().is_empty() { "(no description)" } else { extension.summary() }
}

/// A line per command, extensions behind an empty line: `soong --list`.
pub(super) fn list(extensions: &[Extension]) -> String {
    let mut text: String = BUILT_IN.iter().map(|(name, summary)| format!("{name}\t{summary}\n")).collect();
    if !extensions.is_empty() {
        text.push('\n');
    }
    for extension in extensions {
        text.push_str(format!("{}\t{}", extension.name, extension.summary()).trim_end());
        text.push('\n');
    }
    text
}
