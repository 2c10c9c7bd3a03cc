//! Command line of `soong ssh`: syntax only. [`super::session`] and [`super::hosts`] give it a meaning.
//!
//! soong's options begin with `--`; all others are ssh's. They are recognised by ssh's rules and passed on
//! unchanged; clap parses the rest.
//!
//! Programs that run ssh (rsync, git) write `[OPTIONS] [USER@]HOST [OPTIONS] COMMAND...`. A word that names
//! an instance counts as HOST, and the words after it are parsed as ssh does.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, Args, Parser, Subcommand, ValueHint};

use crate::command_line::definition;
use crate::error::{Error, Result};
use crate::instances::inventory::InstanceArguments;
use crate::openssh::options::{self, Mistake};
use crate::terminal::excerpt;

/// The command line of `soong-ssh`, without ssh's options.
#[derive(Debug, Parser)]
#[command(
    name = "soong-ssh",
    bin_name = "soong ssh",
    version,
    about = "Open a shell on an instance, or run a command there",
    long_about = "Open a shell on an instance, or run a command there.\n\n\
        While a tunnel to the instance is up, the session uses its connection and opens at once. While \
        the tunnel is reconnecting, the session waits for it. Options that change the connection \
        (-A -L -J -p …) open a separate one.\n\n\
        SSH-OPTIONS are ssh's own: -t -A -L -R -D -o -v -q -C -X and all others.\n\n\
        A COMMAND of one word is a command line for the instance's shell, as with ssh. A COMMAND of \
        several words is a program and its arguments, passed on exactly as typed.\n\n\
        NAME is a name or id of an instance. It stands where ssh expects the host, so rsync and git \
        can use 'soong ssh' as their ssh. Without NAME, '--' has to stand before COMMAND; after NAME, \
        words without '--' are a line for the instance's shell, as with ssh.",
    override_usage = "soong ssh [OPTIONS] [SSH-OPTIONS] [[USER@]NAME] [-- COMMAND...]
       soong ssh [OPTIONS] [SSH-OPTIONS] [USER@]NAME [COMMAND...]
       soong ssh config [--install | --remove | --print]",
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  soong ssh
  soong ssh dev
  soong ssh -- nvidia-smi
  soong ssh dev -- nvidia-smi
  soong ssh -- 'cd workspace && tail -f train.log'
  soong ssh -t dev htop
  rsync -e 'soong ssh' train.py dev:
  GIT_SSH_COMMAND='soong ssh' git clone dev:project
  soong ssh config                  add hosts named soong-NAME to ssh"
)]
pub struct Arguments {
    /// A subcommand in place of a session.
    #[command(subcommand)]
    pub subcommand: Option<Command>,
    /// The instance.
    #[command(flatten)]
    pub choice: InstanceArguments,
    /// Print the ssh command without running it
    #[arg(long)]
    pub print: bool,
    /// Command to run on the instance [default: a login shell]
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Subcommands of `soong ssh`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add every instance to ~/.ssh/config as soong-NAME
    ///
    /// Lets ssh, scp, rsync and editors reach instances by name. Writes two files and adds one Include line to
    /// ~/.ssh/config, after asking. From then on, ssh updates the hosts before it connects, so it finds new
    /// instances and new addresses without another command.
    ///
    /// While a tunnel is up, ssh uses its connection. To forward an agent, open a separate one: ssh -S none -A soong-NAME.
    ///
    /// A name that ssh cannot take is spelled with the characters it can, and numbered.
    Config(ConfigArguments),
}

/// Options of `soong ssh config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  soong ssh config            asks before changing ~/.ssh/config
  scp soong-dev:train.log .")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct ConfigArguments {
    /// Add the Include line to ~/.ssh/config without asking
    #[arg(long, conflicts_with_all = ["remove", "print"])]
    pub install: bool,
    /// Remove the Include line from ~/.ssh/config
    #[arg(long, conflicts_with = "print")]
    pub remove: bool,
    /// Print the hosts without writing anything
    #[arg(long)]
    pub print: bool,
    /// Update the hosts; ssh runs this
    #[arg(long, hide = true, conflicts_with_all = ["install", "remove", "print"])]
    pub refresh: bool,
}

/// A split command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Input of [`Arguments`]: everything but ssh's options.
    pub own: Vec<OsString>,
    /// ssh's options, unchanged.
    pub options: Vec<OsString>,
    /// The instance in ssh's place for the host.
    pub destination: Option<OsString>,
    /// The remote command after it, as ssh takes it: words that the instance's shell reads as one line.
    pub line: Vec<OsString>,
}

/// Splits a command line; `words` begin with the program's name. `is_instance` recognises instances' names.
pub fn split(words: &[OsString], is_instance: impl Fn(&OsStr) -> bool) -> Result<Split> {
    let valued = options_with_value();
    let mut split = Split::default();
    let mut rest = words;
    split.own.extend(take(&mut rest, 1));
    while let Some(word) = rest.first() {
        match word.as_bytes() {
            b"config" if split.destination.is_none() => split.own.extend(take(&mut rest, usize::MAX)),
            b"--" => split.own.extend(take(&mut rest, usize::MAX)),
            bytes if !bytes.starts_with(b"-") && !bytes.is_empty() => {
                if split.destination.is_some() {
                    split.line = take(&mut rest, usize::MAX);
                } else if is_instance(word) {
                    split.destination = take(&mut rest, 1).pop();
                } else if rest.get(1).is_some_and(|next| next == "--") {
                    return Err(Error::failed(format!("no instance '{}'", excerpt(&word.to_string_lossy()))));
                } else {
                    return Err(no_instance(word));
                }
            }
            b"-h" | b"-V" => split.own.extend(take(&mut rest, 1)),
            bytes if bytes.starts_with(b"--") => {
                let known = valued.iter().any(|name| bytes == name.as_bytes());
                split.own.extend(take(&mut rest, if known { 2 } else { 1 }));
            }
            _ => {
                let mut following = rest.iter().map(OsString::as_os_str);
                options::take(&mut following).map_err(refuse)?;
                let taken = rest.len() - following.count();
                split.options.extend(take(&mut rest, taken));
            }
        }
    }
    Ok(split)
}

/// Takes the first `count` words off `rest`, or all if there are fewer.
fn take(rest: &mut &[OsString], count: usize) -> Vec<OsString> {
    let (front, back) = rest.split_at(count.min(rest.len()));
    *rest = back;
    front.to_vec()
}

/// Returns our options whose value is the next word, even if that begins with a dash.
fn options_with_value() -> Vec<String> {
    let command = definition::<Arguments>();
    let separate =
        |argument: &&Arg| argument.get_action().takes_values() && !argument.is_require_equals_set();
    let valued = command.get_arguments().filter(separate);
    valued.filter_map(|argument| Some(format!("--{}", argument.get_long()?))).collect()
}

/// Hint where the instances are not listed.
pub const LIST: &str = "list the instances: soong status";

/// Returns the error for a word that is neither an option nor an instance. The caller knows the instances.
fn no_instance(word: &OsStr) -> Error {
    let word = word.to_string_lossy();
    let word = shell_words::quote(&word);
    let word = excerpt(&word);
    Error::usage(format!("'--' is missing before {word}"))
        .with_hint(format!("run it on the instance: soong ssh -- {word}"))
}

fn refuse(mistake: Mistake) -> Error {
    let error = Error::usage(mistake.to_string());
    match mistake {
        Mistake::NotAnOption(word) => no_instance(OsStr::new(&word)).with_hint(LIST),
        Mistake::Unknown(_) => error.with_hint("list the options: soong ssh --help; man ssh"),
        Mistake::NoValue(_) => error.with_hint("add the value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        shell_words::split(text).unwrap().into_iter().map(OsString::from).collect()
    }

    fn parts(text: &str) -> (Vec<OsString>, Vec<OsString>) {
        let Split { own, options, .. } = apart(text).unwrap();
        (own, options)
    }

    /// Splits a line with `dev` as an instance.
    fn apart(text: &str) -> Result<Split> {
        split(&words(text), |word| word == "dev" || word == "me@dev")
    }

    #[test]
    fn an_instance_may_stand_where_ssh_has_its_host() {
        for (text, options, destination, line) in [
            ("ssh dev", "", "dev", ""),
            (
                "ssh -l me dev rsync --server -vlogDtpre.iLsfxCIvu . 'a b'",
                "-l me",
                "dev",
                "rsync --server -vlogDtpre.iLsfxCIvu . 'a b'",
            ),
            (
                "ssh -o SendEnv=GIT_PROTOCOL me@dev \"git-upload-pack 'p'\"",
                "-o SendEnv=GIT_PROTOCOL",
                "me@dev",
                "\"git-upload-pack 'p'\"",
            ),
            ("ssh -G dev", "-G", "dev", ""),
            ("ssh dev -t htop -d 1", "-t", "dev", "htop -d 1"),
            ("ssh dev dev", "", "dev", "dev"),
            ("ssh dev config", "", "dev", "config"),
        ] {
            let split = apart(text).unwrap();
            assert_eq!((split.options, split.line), (words(options), words(line)), "{text}");
            assert_eq!(split.destination.as_deref(), Some(OsStr::new(destination)), "{text}");
            assert_eq!(split.own, ["ssh"], "{text}");
        }
        let split = apart("ssh --print dev -- ls -l").unwrap();
        assert_eq!((split.own, split.line), (words("ssh --print -- ls -l"), vec![]));
        assert_eq!(apart("ssh dev -Z").unwrap_err().to_string(), "unknown ssh option -Z");
        assert_eq!(apart("ssh other ls").unwrap_err().to_string(), "'--' is missing before other");
        assert_eq!(apart("ssh -t other -- ls").unwrap_err().to_string(), "no instance 'other'");
        assert_eq!(apart("ssh -- dev").unwrap().destination, None);
    }

    #[test]
    fn sshs_options_are_kept_apart_and_as_they_are() {
        for (text, own, options) in [
            ("ssh", "ssh", ""),
            ("ssh -t -- top -d 1", "ssh -- top -d 1", "-t"),
            ("ssh -- -t --print", "ssh -- -t --print", ""),
            ("ssh -vA --print -L 1:h:2", "ssh --print", "-vA -L 1:h:2"),
            ("ssh -o 'A=b c' -p22 --instance-id -x -q", "ssh --instance-id -x", "-o 'A=b c' -p22 -q"),
            ("ssh --instance-id=dev -L -- -- ls", "ssh --instance-id=dev -- ls", "-L --"),
            ("ssh -i --print --print", "ssh --print", "-i --print"),
            ("ssh config --install -h", "ssh config --install -h", ""),
            ("ssh --wait -t --wait=5", "ssh --wait --wait=5", "-t"),
            ("ssh -h", "ssh -h", ""),
        ] {
            assert_eq!(parts(text), (words(own), words(options)), "{text}");
        }
    }

    #[test]
    fn a_word_that_could_mean_two_things_is_not_guessed_at() {
        let error = apart("ssh nvidia-smi -L").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(error.to_string(), "'--' is missing before nvidia-smi");
        assert_eq!(error.hints(), ["run it on the instance: soong ssh -- nvidia-smi"]);
        for text in ["ssh -Z", "ssh -o", "ssh -", "ssh -t ''", "ssh -vo"] {
            assert_eq!(apart(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn the_command_keeps_its_words() {
        let split = apart("ssh --print -- sh -c 'exit 37' -- ''").unwrap();
        let arguments = Arguments::try_parse_from(split.own).unwrap();
        assert!(arguments.print);
        assert_eq!(arguments.command, ["sh", "-c", "exit 37", "--", ""]);
    }

    #[test]
    fn options_with_a_value_are_known() {
        assert_eq!(options_with_value(), ["--instance-id", "--color"]);
    }
}
