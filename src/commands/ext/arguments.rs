//! Command line of `soong ext`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::completion::Values;
use crate::extension::is_name;

/// Program name in errors.
pub const PROGRAM: &str = "soong-ext";

/// The command line of `soong-ext`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-ext",
    bin_name = "soong ext",
    version,
    disable_help_subcommand = true,
    about = "Manage extensions",
    long_about = "Manage extensions.\n\n\
        Any program soong-NAME on your PATH is the command 'soong NAME'. Its summary and completion \
        are read from its file; listing never runs it. docs/extensions.md explains how to write one.",
    after_help = "Examples:
  soong ext list                        names, summaries and problems
  soong ext new hello --lang bash       a working extension to start from
  soong ext check ./soong-hello         what is missing"
)]
pub struct Arguments {
    /// The subcommand.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Subcommands of `soong ext`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List extensions and their problems
    #[command(after_help = "Examples:
  soong ext list
  soong ext list --json | jq -r '.extensions[].name'")]
    List {
        /// Print JSON; docs/extensions.md describes the fields
        #[arg(long)]
        json: bool,
    },
    /// Run an extension, even if a built-in command has its name
    #[command(after_help = "Examples:
  soong ext exec status --all     another soong-status on PATH")]
    Exec {
        /// Extension: the NAME of soong-NAME
        #[arg(value_name = "EXTENSION", add = Values::Extensions)]
        name: OsString,
        /// Arguments, passed on unchanged
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Create an extension from a template
    ///
    /// The template works as it is: metadata, help, completion and a test.
    #[command(after_help = "Examples:
  soong ext new hello                       soong-hello in bash, here
  soong ext new hello --lang python --directory ~/bin
  soong ext new hello --lang rust           a Cargo package soong-hello")]
    New {
        /// Name: the extension becomes 'soong NAME'
        #[arg(value_parser = name)]
        name: String,
        /// Language: bash, python or rust
        #[arg(long, value_enum, default_value = "bash", hide_possible_values = true)]
        lang: Language,
        /// Directory to write to [default: the current one]
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
    /// Check an extension for missing parts
    ///
    /// Exits with 1 if the extension cannot work as it is.
    #[command(after_help = "Examples:
  soong ext check ./soong-hello")]
    Check {
        /// Program to check
        file: PathBuf,
    },
}

/// Languages of the templates.
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
