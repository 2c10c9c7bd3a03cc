//! Command line of `soong init`: syntax only.

use clap::{Parser, ValueEnum};

/// The command line of `soong-init`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Parser)]
#[command(
    name = "soong-init",
    bin_name = "soong init",
    version,
    about = "Set up completion and the prompt",
    long_about = "Set up completion and the prompt.\n\n\
        Prints a script for your shell. Add the line below to its startup file, or let \
        'soong init --install' do it.",
    after_help = "Examples:
  eval \"$(soong init bash)\"     in ~/.bashrc
  eval \"$(soong init zsh)\"      in ~/.zshrc
  soong init fish | source      in ~/.config/fish/config.fish
  soong init --install          shows the line and adds it
  soong_unload                  removes everything from a running shell",
    after_long_help = "The prompt:
  Before each prompt, without starting a process, the shell sets
    SOONG_STATE   up if every tunnel is up, down if one is not, idle if all
                  are idle (on demand, without a connection), else empty
    SOONG_TEXT    names of the tunnels if all are up, else of those that are
                  not: dev down, 1/2 dev reconnecting (1 of 2 is up)
    SOONG_PROMPT  the same with symbol and colour, ready for the prompt
    SOONG_UP, SOONG_IDLE, SOONG_WAIT, SOONG_DOWN
                  one of them is SOONG_TEXT: all up, all idle, one connecting,
                  one down
  bash shows SOONG_PROMPT on the left, zsh and fish on the right. To place it
  yourself, name it in your prompt: PS1='${SOONG_PROMPT} \\$ ', in single quotes
  (zsh also needs 'setopt promptsubst'). Names are cut at 20 characters and
  written in ASCII. The segment turns yellow when the lease ends soon. If a
  tunnel's supervisor is killed, the next prompt shows down; if it hangs, the
  prompt shows down after at most 75 seconds.

  These variables change it at any time:
    SOONG_PROMPT_SIDE        left, right (not in bash), or off: variables only
    SOONG_PROMPT_FORMAT      for example '[{symbol} {text} {lease}]'; an empty
                             part is dropped with the space next to it
    SOONG_PROMPT_SYMBOL_UP, _IDLE, _WAIT, _DOWN
                             symbol before the names
    SOONG_PROMPT_COLOR_UP, _IDLE, _WAIT, _DOWN
                             SGR numbers: 32, 1;33, 38;5;208
    SOONG_PROMPT_ASCII       1: symbols = - ~ ! (also without a UTF-8 locale)
    SOONG_PROMPT_LEASE       show the lease below this many minutes [30]
    SOONG_PROMPT_EXPORT      1: export all of these except SOONG_PROMPT, for
                             themes that read them, such as starship
    NO_COLOR                 no colour

Examples:
  eval \"$(soong init bash)\"     in ~/.bashrc
  eval \"$(soong init zsh)\"      in ~/.zshrc
  soong init fish | source      in ~/.config/fish/config.fish
  soong init --install          shows the line and adds it
  soong init zsh --cmd so       'so' becomes short for 'soong'
  soong_unload                  removes everything from a running shell"
)]
pub struct Arguments {
    /// Shell to print the script for [default: $SHELL]
    #[arg(value_enum, hide_possible_values = true, value_name = "bash|zsh|fish")]
    pub shell: Option<Shell>,
    /// Set up completion only
    #[arg(long)]
    pub no_prompt: bool,
    /// Set up the prompt only
    #[arg(long)]
    pub no_completions: bool,
    /// Define a shorter command name for soong
    #[arg(long, value_name = "ALIAS", value_parser = alias)]
    pub cmd: Option<String>,
    /// Add the line to your shell's startup file
    ///
    /// Shows the change and asks first. Safe to repeat.
    #[arg(long, conflicts_with = "uninstall")]
    pub install: bool,
    /// Remove the line from your shell's startup file
    ///
    /// Also from copies beside it, such as .zshrc.pre-oh-my-zsh, which frameworks put back when they are uninstalled.
    #[arg(long)]
    pub uninstall: bool,
    /// Install the manual pages beside the programs
    ///
    /// Packages include them; 'cargo install' does not.
    #[arg(long, conflicts_with_all = ["shell", "install", "uninstall", "no_prompt", "no_completions", "cmd"])]
    pub man_pages: bool,
    /// Change the file without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// A supported shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash, the default of most Linux systems
    Bash,
    /// zsh, the default of macOS
    Zsh,
    /// fish
    Fish,
}

/// Accepts a name that is a plain word in every shell and not an option.
fn alias(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let sound = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(legal);
    if sound { Ok(text.to_owned()) } else { Err("letters, digits, - and _, a letter first".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_one_harmless_word() {
        for name in ["sg", "S", "my-gpu_1"] {
            assert!(alias(name).is_ok(), "{name}");
        }
        for name in ["", "-x", "a b", "a;b", "$(x)", "1x", "ä"] {
            assert!(alias(name).is_err(), "{name}");
        }
    }
}
