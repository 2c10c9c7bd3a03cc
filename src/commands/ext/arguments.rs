//! What can be typed after `soong ext`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::completion::Values;
use crate::extension::is_name;

/// The command line of `soong-ext`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-ext",
    bin_name = "soong ext",
    version,
    disable_help_subcommand = true,
    about = "List, check and make extensions: commands of others",
    long_about = "List, check and make extensions.\n\n\
        Any program soong-NAME on your PATH is the command 'soong NAME'. What it\n\
        says of itself is read, never asked by running it.",
    after_help = "How to write one: docs/extensions.md

Examples:
  soong ext list                        what there is, and what is odd about it
  soong ext new hello --lang bash       a working extension to start from
  soong ext check ./soong-hello         what it lacks"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `soong ext` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the extensions there are, what they do, and what is odd about them
    #[command(after_help = "What the JSON holds: docs/extensions.md

Examples:
  soong ext list
  soong ext list --json | jq -r '.extensions[].name'")]
    List {
        /// Print everything as JSON, one object in a line
        #[arg(long)]
        json: bool,
    },
    /// Run an extension, also one that a command of soong's own hides
    #[command(after_help = "Examples:
  soong ext exec status --all     soong-status of somebody else's on PATH")]
    Exec {
        /// Its name: NAME of soong-NAME
        #[arg(value_name = "EXTENSION", add = Values::Extensions)]
        name: OsString,
        /// Handed to it as they are
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write a working extension, with metadata, completion, help and a test
    #[command(after_help = "Examples:
  soong ext new hello                       soong-hello in bash, here
  soong ext new hello --lang python --directory ~/bin
  soong ext new hello --lang rust           a Cargo package soong-hello")]
    New {
        /// What it will be called as: soong NAME
        #[arg(value_parser = name)]
        name: String,
        /// Write it in bash, python or rust
        #[arg(long, value_enum, default_value = "bash", hide_possible_values = true)]
        lang: Language,
        /// Where to put it, by default here
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
    /// Say what an extension lacks; exit code 1 if that keeps it from working
    #[command(after_help = "Examples:
  soong ext check ./soong-hello")]
    Check {
        /// The program
        file: PathBuf,
    },
}

/// What extensions can be begun in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// bash 3.2 or newer
    Bash,
    /// Python 3, standard library only
    Python,
    /// Rust, with clap
    Rust,
}

fn name(text: &str) -> Result<String, String> {
    let text = text.strip_prefix("soong-").unwrap_or(text);
    if is_name(text.as_bytes()) && text.len() <= 64 {
        Ok(text.to_owned())
    } else {
        Err("a name has letters, digits, '.', '_' and '-', and begins with a letter or digit".to_owned())
    }
}
