//! What can be typed after `soong init`: syntax only.

use clap::{Parser, ValueEnum};

/// The command line of `soong-init`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Parser)]
#[command(
    name = "soong-init",
    bin_name = "soong init",
    version,
    about = "Have your shell complete commands and show tunnels in its prompt",
    after_help = "All that can be set about the prompt is in 'soong init --help'.

Examples:
  eval \"$(soong init bash)\"     as a line of ~/.bashrc
  eval \"$(soong init zsh)\"      as a line of ~/.zshrc
  soong init fish | source      as a line of ~/.config/fish/config.fish
  soong init --install          adds that line for you, and shows it first
  soong_unload                  undoes it in a running shell",
    after_long_help = "The prompt:
  Before each prompt, and without starting a process, the shell sets
    SOONG_STATE   up when every tunnel is, down when one is not, else empty
    SOONG_TEXT    names of the tunnels when all are up, else of those that are
                  not: dev down, 1/2 dev reconnecting (one of two is up)
    SOONG_PROMPT  the same with a symbol and colour, ready to be placed
    SOONG_UP, SOONG_WAIT, SOONG_DOWN
                  SOONG_TEXT in one of them: all up, one connecting, one down
  bash shows SOONG_PROMPT at the left, zsh and fish at the right. To place it
  yourself, name it in your prompt: PS1='${SOONG_PROMPT} \\$ ', in single quotes
  (in zsh with 'setopt promptsubst'). Long names are shortened to 20 characters,
  others than ASCII transliterated. It is yellow when the lease ends soon.
  After the death of a tunnel's supervisor the next prompt says down. One that
  hangs is believed for at most 75 seconds.

  These variables change it, at any time:
    SOONG_PROMPT_SIDE        left, right (not in bash), or off: variables only
    SOONG_PROMPT_FORMAT      for example '[{symbol} {text} {lease}]'; a part
                             that is empty takes a space beside it along
    SOONG_PROMPT_SYMBOL_UP, _WAIT, _DOWN
                             what stands before the names
    SOONG_PROMPT_COLOR_UP, _WAIT, _DOWN
                             numbers of an SGR sequence: 32, 1;33, 38;5;208
    SOONG_PROMPT_ASCII       1: symbols are = ~ ! (also without a UTF-8 locale)
    SOONG_PROMPT_LEASE       show the lease's end below this many minutes [30]
    SOONG_PROMPT_EXPORT      1: export all of these but SOONG_PROMPT, for
                             themes that show them, such as starship
    NO_COLOR                 no colour

Examples:
  eval \"$(soong init bash)\"     as a line of ~/.bashrc
  eval \"$(soong init zsh)\"      as a line of ~/.zshrc
  soong init fish | source      as a line of ~/.config/fish/config.fish
  soong init --install          adds that line for you, and shows it first
  soong init zsh --cmd so       so is short for soong
  soong_unload                  undoes it in a running shell"
)]
pub struct Arguments {
    /// The shell [default: that of $SHELL]
    #[arg(value_enum, hide_possible_values = true, value_name = "bash|zsh|fish")]
    pub shell: Option<Shell>,
    /// Leave the prompt alone
    #[arg(long)]
    pub no_prompt: bool,
    /// Leave completions alone
    #[arg(long)]
    pub no_completions: bool,
    /// Another, shorter name for soong
    #[arg(long, value_name = "ALIAS", value_parser = alias)]
    pub cmd: Option<String>,
    /// Add the line to your shell's startup file, after asking
    #[arg(long, conflicts_with = "uninstall")]
    pub install: bool,
    /// Take that line out again
    #[arg(long)]
    pub uninstall: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// A shell that there is a hook for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// The shell of most Linux systems
    Bash,
    /// The shell of macOS
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// A name that is one word in every shell, and no option.
fn alias(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let sound = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(legal);
    if sound { Ok(text.to_owned()) } else { Err("letters, digits, - and _, a letter first".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn an_alias_is_one_harmless_word() {
        Arguments::command().debug_assert();
        for name in ["sg", "S", "my-gpu_1"] {
            assert!(alias(name).is_ok(), "{name}");
        }
        for name in ["", "-x", "a b", "a;b", "$(x)", "1x", "ä"] {
            assert!(alias(name).is_err(), "{name}");
        }
    }

    #[test]
    fn help_fits_the_terminal() {
        let mut command = Arguments::command();
        for help in [command.render_help(), command.render_long_help()] {
            for line in help.to_string().lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }
}
