//! A shell at a terminal with soong's completion loaded, and a user who types and presses TAB.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{tools, wait};

/// The shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bash,
    Zsh,
    Fish,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// How it is started: interactive, without anybody's rc files but the sandbox's.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["--norc", "--noprofile", "-i"],
            Self::Zsh => &["-f", "-i"],
            Self::Fish => &["-i"],
        }
    }

    /// Defines a command that prints its number and the words behind it.
    fn printer(self) -> &'static str {
        match self {
            Self::Bash | Self::Zsh => {
                "words_of() { printf '%s' \"[$1:\"; shift; printf '<%s>' \"$@\"; echo ':]'; }"
            }
            Self::Fish => {
                "function words_of; printf '%s' \"[$argv[1]:\"; printf '<%s>' $argv[2..-1]; echo ':]'; end"
            }
        }
    }

    /// Returns the line that loads the completion from `directory`, as in an rc file.
    fn load(self, directory: &Path) -> String {
        let directory = directory.display();
        match self {
            Self::Bash => format!("source '{directory}/soong.bash'"),
            Self::Zsh => {
                format!("fpath=('{directory}' $fpath); autoload -U compinit; compinit -u -D")
            }
            Self::Fish => format!("source '{directory}/soong.fish'"),
        }
    }
}

/// The version of the bash that is tested: some things older ones cannot do.
pub fn bash_version(sandbox: &Sandbox) -> (u32, u32) {
    let script = "echo \"${BASH_VERSINFO[0]} ${BASH_VERSINFO[1]}\"";
    let output = Run::new(sandbox, &tools::shell("bash"), ["-c", script]).stdout_has("").run();
    let (major, minor) = output.stdout.trim().split_once(' ').unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}

/// A shell in a sandbox.
pub struct Shell {
    terminal: Terminal,
    /// Counts the typed lines, to distinguish each answer from earlier ones.
    typed: usize,
}

impl Shell {
    /// The shell with the completion of the repository loaded, after `before` was run in it.
    pub fn start(kind: Kind, sandbox: &Sandbox, before: &str) -> Self {
        let completions = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        Self::run(kind, sandbox, &format!("{before}\n{}", kind.load(&completions)), &own_directory())
    }

    /// The shell after `setup`, with the programs of `directory` on PATH.
    pub fn run(kind: Kind, sandbox: &Sandbox, setup: &str, directory: &Path) -> Self {
        let mut path: OsString = sandbox.path("bin").into();
        for part in [directory.as_os_str(), &tools::system_path()] {
            path.push(":");
            path.push(part);
        }
        let run = Run::new(sandbox, &tools::shell(kind.name()), kind.arguments())
            .env("PATH", path)
            .env("LC_ALL", "C.UTF-8")
            .env("HISTFILE", "/dev/null")
            .current_dir(&sandbox.home());
        let mut shell = Self { terminal: Terminal::run(&run, 40, 100), typed: 0 };
        shell.command(kind.printer());
        for line in setup.lines().filter(|line| !line.is_empty()) {
            shell.command(line);
        }
        shell
    }

    /// Runs a command and waits for its end.
    pub fn command(&mut self, line: &str) {
        self.typed += 1;
        // Typed in two parts, so that the echo of the line is not taken for what it prints.
        self.terminal.type_text(&format!("{line}; echo do''ne {}.\r", self.typed));
        self.terminal.wait_for(&format!("done {}.", self.typed));
    }

    /// Types `keys`, which may hold TABs, and returns the words that the shell would run.
    #[track_caller]
    pub fn words(&mut self, keys: &str) -> Vec<String> {
        const TO_BEGIN: &str = "\x01";
        self.typed += 1;
        let begin = format!("[{}:", self.typed);
        // Shells take keys in order: what is typed behind a TAB waits for the answer.
        self.terminal.type_text(&format!("{keys}{TO_BEGIN}words_of {} \r", self.typed));
        let between = |screen: &str| {
            let (_, rest) = screen.rsplit_once(&begin)?;
            Some(rest.split_once(":]")?.0.to_owned())
        };
        let words = wait::until(&format!("{keys:?} to be completed"), || between(&self.terminal.screen()));
        words.trim_start_matches('<').trim_end_matches('>').split("><").map(str::to_owned).collect()
    }

    /// Types `keys` and then a mark; how often the terminal has shown `text` when it shows the mark.
    #[track_caller]
    pub fn count(&mut self, keys: &str, text: &str) -> usize {
        let before = self.terminal.screen().len();
        self.terminal.type_text(&format!("{keys}MARK"));
        wait::until_true("the mark to be shown", || {
            plain(&self.terminal.screen()[before..]).contains("MARK")
        });
        let count = plain(&self.terminal.screen()[before..]).matches(text).count();
        self.terminal.type_text("\x03");
        self.command("true");
        count
    }

    /// Types `keys` and waits until the terminal shows each of `texts`; then forgets the line.
    #[track_caller]
    pub fn shows(&mut self, keys: &str, texts: &[&str]) {
        let before = self.terminal.screen().len();
        self.terminal.type_text(keys);
        for text in texts {
            wait::until_true(&format!("{text:?} to be shown after {keys:?}"), || {
                plain(&self.terminal.screen()[before..]).contains(text)
            });
        }
        self.terminal.type_text("\x03");
        self.command("true");
    }
}

/// `text` without what moves the cursor and sets colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\x1b' if characters.next_if_eq(&'[').is_some() => {
                while characters.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                characters.next();
            }
            '\x1b' => {
                characters.next_if_eq(&'(');
                characters.next();
            }
            '\r' | '\x0f' => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Where the programs under test are.
pub fn own_directory() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_soong")).parent().unwrap().to_owned()
}
