//! Command line of `soong configure`: syntax only.

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
    about = "Set up soong, or change single settings",
    long_about = "Set up soong, or change single settings.\n\n\
        Without arguments, asks where your instances come from, for the API key or the address, and for your \
        private key, checks each answer, and logs in. It saves after the last answer; Esc in a list, or '<' as an \
        answer, goes back. With options, asks nothing.\n\n\
        Secrets are never taken from the command line, where other users could read them: they are asked \
        for or read from standard input, and stored in credentials.toml, readable by you only.",
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  soong configure
  soong configure --key ~/.ssh/id_ed25519 --instance dev=192.0.2.7
  soong configure --instance dev=root@192.0.2.7:40001
  pass show lambda | soong configure --api-key-stdin
  soong configure set services.comfyui 8188
  soong configure list"
)]
pub struct Arguments {
    /// A subcommand in place of the wizard.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Answers given as options.
    #[command(flatten)]
    pub setup: SetupArguments,
}

/// Answers to the wizard's questions.
#[derive(Debug, Clone, Default, Args)]
pub struct SetupArguments {
    /// Private key for logging in
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Option<String>,
    /// User name on the instances
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Instances to add.
    #[arg(
        long = "instance",
        value_name = "NAME=HOST",
        value_parser = instance,
        help = "Add an instance: NAME=[USER@]HOST[:PORT]",
        long_help = "Add an instance: NAME=[USER@]HOST[:PORT]\n\nMay be repeated."
    )]
    pub instances: Vec<NamedHost>,
    /// Read the Lambda API key from standard input
    #[arg(long, conflicts_with = "daemon_token_stdin")]
    pub api_key_stdin: bool,
    /// Read the status daemon's token from standard input
    #[arg(long)]
    pub daemon_token_stdin: bool,
    /// Store the API key without checking it with Lambda
    #[arg(long, requires = "api_key_stdin")]
    pub no_check: bool,
}

/// An instance given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHost {
    /// Its name in the config.
    pub name: String,
    /// Its address.
    pub address: Address,
}

impl SetupArguments {
    /// Returns true if no option was given.
    pub fn is_empty(&self) -> bool {
        self.key.is_none()
            && self.user.is_none()
            && self.instances.is_empty()
            && !self.api_key_stdin
            && !self.daemon_token_stdin
    }
}

/// Subcommands of `soong configure`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the value of a key
    #[command(after_help = "Examples:
  soong configure get ssh.user
  soong configure get lambda.api-key --reveal")]
    Get {
        /// Key, for example ssh.user or instances.dev.host
        #[arg(add = Values::KeysToGet)]
        key: String,
        /// Print the value even if it is a secret
        #[arg(long)]
        reveal: bool,
    },
    /// Change the value of a key
    ///
    /// Comments and layout of config.toml stay as they are. A value without effect, such as a key file that is missing,
    /// is set with a warning. For a secret, leave out VALUE to be asked for it, or pipe
    /// it in with '-'.
    #[command(after_help = "Examples:
  soong configure set services.comfyui 8188
  soong configure set instances.dev.host 192.0.2.7
  soong configure set lambda.api-key                     asks for it
  pass show lambda | soong configure set lambda.api-key -")]
    Set {
        /// Key, for example ssh.user or instances.dev.host
        #[arg(add = Values::KeysToSet)]
        key: String,
        /// New value; '-' reads it from standard input
        #[arg(allow_hyphen_values = true, add = Values::KeyValues)]
        value: Option<String>,
    },
    /// Remove a key or a whole instance from the config
    #[command(after_help = "Examples:
  soong configure unset services.comfyui
  soong configure unset instances.dev")]
    Unset {
        /// Key, for example ssh.user or instances.dev
        #[arg(add = Values::KeysToUnset)]
        key: String,
    },
    /// List all keys with their values and where each is set
    #[command(after_help = "Examples:
  soong configure list
  soong configure list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the path of the config file
    #[command(after_help = "Examples:
  soong configure path
  ls -l \"$(soong configure path --credentials)\"")]
    Path {
        /// Print the path of credentials.toml instead
        #[arg(long)]
        credentials: bool,
    },
    /// Edit the config file and check the result
    ///
    /// Opens $VISUAL or $EDITOR. A file with an error is not put in place; you can go back to the editor.
    #[command(after_help = "Examples:
  soong configure edit
  EDITOR=nano soong configure edit")]
    Edit,
    /// Import the secrets of an earlier soong's config.json
    #[command(after_help = "Examples:
  soong configure import
  soong configure import ~/backup/config.json")]
    Import {
        /// File to read [default: ~/.config/soong/config.json]
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
