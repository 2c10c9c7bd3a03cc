//! ssh's questions as values, and their text for users. [`crate::supervisor::prompt_broker`] carries them
//! from ssh to a terminal.
//!
//! The text comes from ssh or, through it, from the server.

use serde::{Deserialize, Serialize};

use crate::terminal::printable;

/// Longest text to show, in characters, and the most lines.
const TEXT_MAX: usize = 2000;
const LINES_MAX: usize = 20;

/// Prefix of a question, so that it cannot pass for one of soong's own.
const MARK: &str = "ssh asks: ";

/// A question of ssh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its text.
    pub text: String,
    /// Kind of the answer.
    pub sort: Sort,
}

/// A question with its context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// Messages of ssh or the server before it.
    pub said: Vec<String>,
    /// True if an earlier answer was rejected.
    pub again: bool,
}

/// Kinds of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// Passphrase of a private key; never leaves this machine.
    Passphrase,
    /// Confirmation of the server's host key.
    HostKey,
    /// Yes or no.
    Confirm,
    /// A notice, such as to touch a security key. ssh continues by itself.
    Notice,
    /// Anything the server asks: a password, a one-time code.
    Server,
}

impl Question {
    /// Returns the question that ssh asks with `text` and the `hint` in `SSH_ASKPASS_PROMPT`.
    pub fn new(text: &str, hint: Option<&str>) -> Self {
        let text: String = text.chars().take(TEXT_MAX).collect();
        let sort = match hint {
            Some("confirm") => Sort::Confirm,
            Some("none") => Sort::Notice,
            _ if is_about_host_key(&text) => Sort::HostKey,
            _ if text.starts_with("Enter passphrase for ") || text.starts_with("Enter PIN for ") => {
                Sort::Passphrase
            }
            _ => Sort::Server,
        };
        Self { text, sort }
    }

    /// Returns true if the answer may be echoed.
    pub fn is_open(&self) -> bool {
        matches!(self.sort, Sort::HostKey | Sort::Confirm)
    }

    /// Returns the question for the terminal; its last line ends where the answer begins.
    pub fn prompt(&self) -> String {
        let indent = " ".repeat(MARK.len());
        let text = self.text.trim_end_matches(['\n', '\r']);
        let lines: Vec<_> = text.lines().take(LINES_MAX).map(printable).collect();
        let mut prompt = format!("{MARK}{}", lines.join(&format!("\n{indent}")));
        if self.sort == Sort::Confirm {
            prompt.push_str(" (yes/no)");
        }
        if self.sort != Sort::Notice && !prompt.ends_with(' ') {
            prompt.push(' ');
        }
        prompt
    }

    /// Returns the question in a few words, for an error.
    pub fn summary(&self) -> String {
        let line = match self.sort {
            Sort::HostKey => self.text.lines().next(),
            _ => self.text.lines().rfind(|line| !line.trim().is_empty()),
        };
        printable(line.unwrap_or_default().trim().trim_end_matches([':', '?', '.'])).into_owned()
    }

    /// Returns ssh's input for the typed text; `None` if the user must type it again.
    pub fn reply(&self, typed: &str) -> Option<String> {
        if !self.is_open() {
            return Some(typed.to_owned());
        }
        match typed.trim() {
            yes if yes.eq_ignore_ascii_case("yes") || yes.eq_ignore_ascii_case("y") => Some("yes".to_owned()),
            no if no.eq_ignore_ascii_case("no") || no.eq_ignore_ascii_case("n") => Some("no".to_owned()),
            print if self.sort == Sort::HostKey && print.starts_with("SHA256:") => Some(print.to_owned()),
            _ => None,
        }
    }
}

/// Accepts ssh's own words (`sshconnect.c`, `check_host_key` and `confirm`).
fn is_about_host_key(text: &str) -> bool {
    text.starts_with("The authenticity of host ")
        || text.starts_with("Please type 'yes'")
        || text.contains("Are you sure you want to continue connecting (yes/no")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_told_apart() {
        let table = [
            ("Enter passphrase for key '/k': ", None, Sort::Passphrase),
            ("Enter PIN for ED25519-SK key /k: ", None, Sort::Passphrase),
            ("The authenticity of host 'h (192.0.2.1)' can't be established.\n…? ", None, Sort::HostKey),
            ("Please type 'yes', 'no' or the fingerprint: ", None, Sort::HostKey),
            ("Add key /k to agent?", Some("confirm"), Sort::Confirm),
            ("Confirm user presence for key ED25519-SK", Some("none"), Sort::Notice),
            ("(u@h) Verification code: ", None, Sort::Server),
            ("u@h's password: ", Some("unheard of"), Sort::Server),
        ];
        for (text, hint, sort) in table {
            assert_eq!(Question::new(text, hint).sort, sort, "{text}");
        }
    }

    #[test]
    fn what_a_server_says_does_not_act_on_the_terminal() {
        let question = Question::new("one\u{1b}[2J\r\ntwo: ", None);
        assert_eq!(question.prompt(), "ssh asks: one\\u{1b}[2J\n          two: ");
        assert_eq!(question.summary(), "two");
        let long = Question::new(&"x\n".repeat(5000), None);
        assert!(long.prompt().lines().count() <= LINES_MAX);
    }

    #[test]
    fn yes_and_no_are_understood_and_nothing_else() {
        let question = Question::new("The authenticity of host 'h' can't be established.\nSure? ", None);
        let table =
            [("yes", Some("yes")), ("Y ", Some("yes")), ("no", Some("no")), ("", None), ("jein", None)];
        for (typed, reply) in table {
            assert_eq!(question.reply(typed).as_deref(), reply, "{typed}");
        }
        assert_eq!(question.reply("SHA256:x").as_deref(), Some("SHA256:x"));
        assert_eq!(Question::new("Code: ", None).reply(" 1 ").as_deref(), Some(" 1 "));
    }
}
