//! What can be typed after `soong configure`: syntax only.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::completion::Values;

use crate::config::address::Address;

/// The command line of `soong-configure`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-configure",
    bin_name = "soong configure",
    version,
    about = "Set up soong: answer questions, or change one setting at a time",
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command and without options it asks, and checks each answer.
With options it asks nothing. Secrets are never taken from the command line.

Examples:
  soong configure
  soong configure --key ~/.ssh/id_ed25519 --instance dev=192.0.2.7
  soong configure --instance dev=root@192.0.2.7:40001
  pass show lambda | soong configure --api-key-stdin
  soong configure set services.comfyui 8188
  soong configure list"
)]
pub struct Arguments {
    /// What to do instead of asking.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to set without asking.
    #[command(flatten)]
    pub setup: SetupArguments,
}

/// Answers to the wizard's questions.
#[derive(Debug, Clone, Default, Args)]
pub struct SetupArguments {
    /// Private key to log in with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Option<String>,
    /// Account on the instances
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// NAME=[USER@]HOST[:PORT]; may be repeated
    #[arg(long = "instance", value_name = "NAME=HOST", value_parser = instance)]
    pub instances: Vec<NamedHost>,
    /// Read the Lambda API key from standard input
    #[arg(long, conflicts_with = "daemon_token_stdin")]
    pub api_key_stdin: bool,
    /// Read the status daemon's token from standard input
    #[arg(long)]
    pub daemon_token_stdin: bool,
    /// Store the API key without asking Lambda about it
    #[arg(long, requires = "api_key_stdin")]
    pub no_check: bool,
}

/// An instance that is written down by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHost {
    /// What to call it.
    pub name: String,
    /// How it is reached.
    pub address: Address,
}

impl SetupArguments {
    /// Whether anything was asked for.
    pub fn is_empty(&self) -> bool {
        self.key.is_none()
            && self.user.is_none()
            && self.instances.is_empty()
            && !self.api_key_stdin
            && !self.daemon_token_stdin
    }
}

/// What `soong configure` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the value of a key
    #[command(after_help = "Examples:
  soong configure get ssh.user
  soong configure get lambda.api-key --reveal")]
    Get {
        /// Which, for example ssh.user or instances.dev.host
        #[arg(add = Values::KeysToGet)]
        key: String,
        /// Print it even if it is a secret
        #[arg(long)]
        reveal: bool,
    },
    /// Change the value of a key
    #[command(after_help = "Secrets are not taken from the command line, where others could see them:
leave out the value to be asked for it, or pipe it in.

Examples:
  soong configure set services.comfyui 8188
  soong configure set instances.dev.host 192.0.2.7
  soong configure set lambda.api-key                     asks for it
  pass show lambda | soong configure set lambda.api-key -")]
    Set {
        /// Which, for example ssh.user or instances.dev.host
        #[arg(add = Values::KeysToSet)]
        key: String,
        /// The new value; '-' reads it from standard input
        #[arg(allow_hyphen_values = true, add = Values::KeyValues)]
        value: Option<String>,
    },
    /// Take a key out of the config, or a whole instance: instances.NAME
    #[command(after_help = "Examples:
  soong configure unset services.comfyui
  soong configure unset instances.dev")]
    Unset {
        /// Which, for example ssh.user or instances.dev
        #[arg(add = Values::KeysToUnset)]
        key: String,
    },
    /// Show all keys, their values and where each comes from
    #[command(after_help = "Examples:
  soong configure list
  soong configure list --json")]
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print where the config file is
    #[command(after_help = "Examples:
  soong configure path
  ls -l \"$(soong configure path --credentials)\"")]
    Path {
        /// Print where the file with the secrets is
        #[arg(long)]
        credentials: bool,
    },
    /// Open the config file in $VISUAL or $EDITOR, and check what comes of it
    #[command(after_help = "Examples:
  soong configure edit
  EDITOR=nano soong configure edit")]
    Edit,
    /// Take over the secrets of an earlier soong's config.json
    #[command(after_help = "Examples:
  soong configure import
  soong configure import ~/backup/config.json")]
    Import {
        /// The file [default: ~/.config/soong/config.json]
        file: Option<PathBuf>,
    },
}

fn instance(text: &str) -> Result<NamedHost, String> {
    let (name, host) = text.rsplit_once('=').ok_or("write it as NAME=HOST, for example dev=192.0.2.7")?;
    Ok(NamedHost { name: name.to_owned(), address: Address::parse(host)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_fits_80_columns() {
        let mut command = Arguments::command();
        let narrow = |help: String| assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        narrow(command.render_help().to_string());
        for name in ["get", "set", "unset", "list", "path", "edit", "import"] {
            narrow(command.find_subcommand_mut(name).unwrap().render_help().to_string());
        }
    }

    #[test]
    fn an_instance_is_a_name_and_a_host() {
        let named =
            |name: &str, address| NamedHost { name: name.into(), address: Address::parse(address).unwrap() };
        assert_eq!(instance("a=b=h").unwrap(), named("a=b", "h"));
        assert_eq!(instance("dev=me@192.0.2.7:2222").unwrap(), named("dev", "me@192.0.2.7:2222"));
        assert!(instance("dev").is_err() && instance("dev=192.0.2.7:0").is_err());
    }

    #[test]
    fn no_option_takes_a_secret() {
        for option in Arguments::command().get_arguments() {
            let name = option.get_id().as_str();
            let secret = name.contains("key_") || name.contains("token");
            assert!(!secret || !option.get_action().takes_values(), "{name}");
        }
    }
}
