//! Output of the tour: explanations as shell comments, commands after a prompt, and errors. The commands' own
//! output goes straight to the terminal.

use std::io::{self, IsTerminal, Write};

use owo_colors::Style;

/// The terminal, or whatever stdout and stderr are.
pub struct Screen {
    explanation: Style,
    command: Style,
    failure: Style,
}

impl Screen {
    /// Plain text, and colour on a terminal whose user has not said `NO_COLOR`.
    pub fn new() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the library's `term` speaks for soong's own output only"
        )]
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let on = |terminal: bool, style: Style| if wanted && terminal { style } else { Style::new() };
        Self {
            explanation: on(io::stdout().is_terminal(), Style::new().cyan()),
            command: on(io::stdout().is_terminal(), Style::new().bold()),
            failure: on(io::stderr().is_terminal(), Style::new().red().bold()),
        }
    }

    /// Prints an explanation, after an empty line.
    pub fn explain(&self, text: &str) {
        let comment = |line: &str| format!("# {line}").trim_end().to_owned();
        let lines: Vec<_> =
            text.lines().map(|line| self.explanation.style(comment(line)).to_string()).collect();
        print(io::stdout(), &format!("\n{}\n", lines.join("\n")));
    }

    /// Prints a command as the user would have typed it.
    pub fn command(&self, line: &str) {
        print(io::stdout(), &format!("$ {}\n", self.command.style(line)));
    }

    /// Prints what went wrong, after an empty line, and the log that may say why.
    pub fn failure(&self, text: &str, log: &str) {
        print(io::stderr(), &format!("\n{}\n", self.failure.style(format!("The demo failed: {text}"))));
        if !log.is_empty() {
            print(io::stderr(), &format!("\nWhat soong has logged:\n{log}\n"));
        }
    }
}

/// Prints the output of a command that is not a program.
pub fn output(text: &str) {
    print(io::stdout(), text);
}

/// Complete when this returns: the next command writes to the same terminal. A terminal that is
/// gone, or a reader that has seen enough, ends the show but not the tour, which has to tidy up.
fn print(mut out: impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
