//! What ssh asks while it logs in: the question as a value, and how it is put to the user. Who
//! carries it from ssh to a terminal is [`crate::supervisor::prompt_broker`]' business.
//!
//! The text of a question comes from ssh or, through it, from the server.

use serde::{Deserialize, Serialize};

use crate::terminal::printable;

/// The longest text that is shown, in characters, and the most lines.
const TEXT_MAX: usize = 2000;
const LINES_MAX: usize = 20;

/// What stands before a question, so that nobody takes it for one of soong's own.
const MARK: &str = "ssh asks: ";

/// A question of ssh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its text.
    pub text: String,
    /// What is asked for.
    pub sort: Sort,
}

/// A question, and what the one who is asked should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// What ssh, or the server, said before it.
    pub said: Vec<String>,
    /// Whether it was answered before, and the answer not accepted.
    pub again: bool,
}

/// Sorts of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// The passphrase of a private key; never leaves this machine.
    Passphrase,
    /// Whether the server's key is the right one.
    HostKey,
    /// Yes or no.
    Confirm,
    /// No question: something to be done, such as touching a security key. ssh goes on by itself.
    Notice,
    /// Whatever the server wants to know: a password, a one-time code.
    Server,
}

impl Question {
    /// The question that ssh asks with `text`, and with `hint` in `SSH_ASKPASS_PROMPT`.
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

    /// Whether what is typed may be seen.
    pub fn is_open(&self) -> bool {
        matches!(self.sort, Sort::HostKey | Sort::Confirm)
    }

    /// The question for the terminal, its last line open for the answer.
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

    /// The question in few words, for an error.
    pub fn summary(&self) -> String {
        let line = match self.sort {
            Sort::HostKey => self.text.lines().next(),
            _ => self.text.lines().rfind(|line| !line.trim().is_empty()),
        };
        printable(line.unwrap_or_default().trim().trim_end_matches([':', '?', '.'])).into_owned()
    }

    /// What is given to ssh for what was typed; `None` when it is to be typed again.
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

/// ssh's own words for it (`sshconnect.c`, `check_host_key` and `confirm`).
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
