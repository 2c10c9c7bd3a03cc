//! Overview of all commands: `soong`, `soong help`, `soong --list`.

use crate::built_in::BUILT_IN;
use crate::extension::catalog::Extension;

/// Widest line of the overview, in characters.
const WIDTH: usize = 80;

/// Shown before everything else while there is no config file.
const FIRST_STEPS: &str = "
Get started:
  soong configure        your key, your instances or your provider
  soong tunnel start     the instance's ports on localhost
  soong init --install   TAB completion and the prompt
";

/// Returns the text of `soong`, `soong --help` and `soong help`; `is_new` adds the first steps.
pub(super) fn overview(extensions: &[Extension], is_new: bool) -> String {
    let mut text = String::from("The ports of your rented GPU instance, on localhost\n");
    if is_new {
        text.push_str(FIRST_STEPS);
    }
    text.push_str("\nUsage: soong COMMAND [ARGUMENTS]\n\nCommands:\n");
    let width = BUILT_IN.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max("help".len());
    for (name, summary) in BUILT_IN {
        text.push_str(&format!("  {name:width$}  {summary}\n"));
    }
    text.push_str(&format!("  {:width$}  Show the manual or help of a command\n", "help"));
    if !extensions.is_empty() {
        text.push_str("\nExtensions (soong-NAME on PATH):\n");
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
      --color WHEN  Colour output: auto, always, never [default: auto]
  -h, --help        Print help
  -V, --version     Print version
      --list        List all commands, one per line: name, tab, summary
      --exec-path   Print the directory of soong's programs

Examples:
  soong tunnel start       forward the instance's ports to localhost
  soong help tunnel start  everything about a command
",
    );
    text
}

fn shown(extension: &Extension) -> &str {
    if extension.summary().is_empty() { "(no description)" } else { extension.summary() }
}

/// Returns the text of `soong --list`: one line per command, extensions after an empty line.
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
