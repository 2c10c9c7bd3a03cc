//! The shells that have a hook, and how to have each do the same.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::tools;

/// A shell with a hook.
pub struct Shell {
    pub name: &'static str,
    /// Options that make the shell interactive and skip startup files.
    options: &'static [&'static str],
    file: &'static str,
    /// The function that runs before each prompt.
    pub hook: &'static str,
}

pub const BASH: Shell = Shell {
    name: "bash",
    options: &["--norc", "--noprofile", "-i"],
    file: concat!(env!("CARGO_MANIFEST_DIR"), "/shell/soong.bash"),
    hook: "__soong_hook",
};
pub const ZSH: Shell = Shell {
    name: "zsh",
    options: &["-f", "-i"],
    file: concat!(env!("CARGO_MANIFEST_DIR"), "/shell/soong.zsh"),
    hook: "_soong_hook",
};
pub const FISH: Shell = Shell {
    name: "fish",
    options: &["--no-config", "-i"],
    file: concat!(env!("CARGO_MANIFEST_DIR"), "/shell/soong.fish"),
    hook: "__soong_hook",
};
pub const SHELLS: [Shell; 3] = [BASH, ZSH, FISH];

impl Shell {
    /// Its program.
    pub fn program(&self) -> PathBuf {
        tools::shell(self.name)
    }

    /// The shell, interactive, with these arguments.
    pub fn run<'a>(&self, sandbox: &'a Sandbox, arguments: &[&str]) -> Run<'a> {
        let run = Run::new(sandbox, &self.program(), self.options).args(arguments);
        run.env("TERM", "xterm").env("SHELL", self.program())
    }

    /// The shell at a terminal, with a prompt that says `ready>`.
    pub fn open(&self, sandbox: &Sandbox) -> Terminal {
        self.at_terminal(&self.run(sandbox, &[]))
    }

    /// The same, started by `wrapper`.
    pub fn open_through(&self, sandbox: &Sandbox, wrapper: &Path, arguments: &[&str]) -> Terminal {
        self.at_terminal(&self.run(sandbox, &[]).through(wrapper, arguments))
    }

    fn at_terminal(&self, run: &Run) -> Terminal {
        let mut terminal = Terminal::run(run, 24, 80);
        terminal.type_text(match self.name {
            "fish" => "function fish_prompt; echo 'ready''> '; end; function fish_greeting; end\r",
            _ => "PS1='ready''> '\r",
        });
        terminal.wait_for("ready> ");
        terminal
    }

    /// The command that reads the hook.
    pub fn load(&self) -> String {
        format!(". '{}'\n", self.file)
    }

    /// The command that sets a variable and exports it.
    pub fn set(&self, name: &str, value: &str) -> String {
        match self.name {
            "fish" => format!("set -gx {name} '{value}'\n"),
            _ => format!("export {name}='{value}'\n"),
        }
    }
}

/// Seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
