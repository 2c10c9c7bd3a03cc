//! Command line of `soong code`.

use clap::{Parser, ValueEnum};

use crate::completion::Values;

/// The command line of `soong-code`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-code",
    bin_name = "soong code",
    version,
    about = "Open an editor on an instance",
    long_about = "Open an editor on an instance.\n\n\
        The editor connects by ssh to the host soong-NAME, which 'soong ssh config' sets up, and so \
        uses the tunnel's connection while one is up. VS Code needs the extension Remote - SSH, \
        VSCodium the extension Open Remote - SSH.\n\n\
        DIR is relative to the home directory there.",
    after_help = "Examples:
  soong code                      the only active instance
  soong code dev
  soong code dev workspace/train
  soong code dev /data --editor zed"
)]
pub struct Arguments {
    /// Instance: its name, id, or the start of its id
    #[arg(value_name = "NAME", add = Values::Instances)]
    pub name: Option<String>,
    /// Directory on the instance [default: the editor's choice]
    #[arg(value_name = "DIR")]
    pub directory: Option<String>,
    /// Editor: code, code-insiders, cursor, windsurf, codium, zed [default: the first installed]
    #[arg(long, value_enum, value_name = "EDITOR", hide_possible_values = true)]
    pub editor: Option<Editor>,
    /// The same as NAME
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
    /// Print the editor's command without running it
    #[arg(long)]
    pub print: bool,
}

/// Editors that open a directory of an ssh host, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Editor {
    /// VS Code, with the extension Remote - SSH
    Code,
    /// VS Code Insiders
    CodeInsiders,
    /// Cursor
    Cursor,
    /// Windsurf
    Windsurf,
    /// VSCodium, with the extension Open Remote - SSH
    Codium,
    /// Zed
    Zed,
}
