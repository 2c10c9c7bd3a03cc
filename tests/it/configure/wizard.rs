//! The wizard, at a terminal.

use std::fs;

use nix::pty::openpty;
use nix::sys::termios::{Termios, tcgetattr};

use super::provider::{Api, GOOD_KEY};
use super::{WITH_CARE, home, mode};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{tools, wait};

/// User who reads a question before answering it.
struct Reader {
    terminal: Terminal,
    /// How much of the screen has been read.
    read: usize,
}

impl Reader {
    /// Starts `soong configure ARGS`; its exit code is printed at the end as `[CODE]`.
    fn start(run: &Run<'_>) -> Self {
        Self { terminal: Terminal::run(run, 40, 100), read: 0 }
    }

    /// Waits for `question`, below all that was read before, and types `answer`.
    #[track_caller]
    fn answer(&mut self, question: &str, answer: &str) {
        self.wait_for(question);
        self.terminal.type_text(answer);
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        self.read =
            wait::until(&format!("{text:?} after {:?}", &self.terminal.screen()[self.read..]), || {
                let screen = self.terminal.screen();
                screen[self.read..].find(text).map(|at| self.read + at + text.len())
            });
    }
}

/// `soong configure` by way of a shell that prints its exit code.
fn configure<'a>(sandbox: &'a Sandbox, api: &Api) -> Run<'a> {
    let soong = env!("CARGO_BIN_EXE_soong");
    // Ctrl-C goes to the shell too, which lives on to tell what became of the command.
    let script = "trap : INT; \"$0\" configure; echo \"[$?]\"";
    Run::new(sandbox, &tools::tool("bash"), ["-c", script, soong]).env("SOONG_LAMBDA_ENDPOINT", &api.url)
}

/// Settings of a fresh terminal.
fn untouched() -> Termios {
    tcgetattr(openpty(None, None).unwrap().slave).unwrap()
}

const DOWN: &str = "\x1b[B";
const QUESTIONS: [&str; 7] =
    ["Private key", "User name on", "Lambda API key", "add another?", "Name of", "Address (", "token"];

#[test]
fn all_is_asked_checked_and_written_and_no_secret_shown() {
    let (sandbox, api) = (Sandbox::new(), Api::start());
    fs::remove_file(sandbox.config_file()).unwrap();
    sandbox.key("id_ed25519", "");
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Private key", "\r");
    reader.answer("User name on", "\r");
    reader.answer("Lambda API key", "bad-key-4711\r");
    reader.wait_for("rejects the API key");
    reader.answer("What now?", "\r");
    // Ctrl-U takes back what was typed, though it cannot be seen.
    reader.answer("Lambda API key", &format!("slip-4711\x15{GOOD_KEY}\r"));
    reader.wait_for("Key accepted");
    reader.answer("by address?", "y");
    reader.answer("Name of", "\r");
    reader.answer("Address (", "a b\r");
    reader.wait_for("expected a host name or address");
    reader.answer("Address (", "192.0.2.7\r");
    reader.answer("token", "\r");
    reader.wait_for("Next: soong tunnel start");
    reader.wait_for("[0]");
    let screen = reader.terminal.screen();
    assert!(!screen.contains("4711"), "{screen}");
    let expected = "[ssh]\nkey = \"~/.ssh/id_ed25519\"\n\n[instances.dev]\nhost = \"192.0.2.7\"\n\n[providers]\nlambda = true\n";
    assert_eq!(sandbox.config_text(), expected);
    assert_eq!((mode(&sandbox.config_file()), mode(&sandbox.credentials_file())), (0o600, 0o600));
    sandbox.conf(["get", "--reveal", "lambda.api-key"]).stdout(format!("{GOOD_KEY}\n")).run();
    let token = sandbox.conf(["get", "--reveal", "daemon.token"]).stdout_has("").run().stdout;
    assert!(token.trim().len() == 43 && !screen.contains(token.trim()));
}

#[test]
fn ctrl_c_at_any_question_leaves_files_and_terminal_as_they_were() {
    let (sandbox, api) = (home(WITH_CARE), Api::start());
    sandbox.key("id_ed25519", "");
    let before = sandbox.files();
    for last in 0..QUESTIONS.len() {
        let mut reader = Reader::start(&configure(&sandbox, &api));
        for question in &QUESTIONS[..last] {
            reader.answer(question, if *question == "add another?" { "y" } else { "\r" });
        }
        reader.answer(QUESTIONS[last], "\x03");
        reader.wait_for("No changes.");
        reader.wait_for("[130]");
        assert_eq!(reader.terminal.modes(), untouched(), "{}", QUESTIONS[last]);
        let screen = reader.terminal.screen();
        let (hidden, shown) = (screen.rfind("\x1b[?25l"), screen.rfind("\x1b[?25h"));
        assert!(hidden <= shown, "the cursor stays hidden after {}", QUESTIONS[last]);
        assert_eq!(sandbox.config_text(), WITH_CARE);
        assert_eq!(sandbox.files(), before);
    }
}

#[test]
fn again_the_answers_are_those_given_before() {
    let (sandbox, api) = (home(WITH_CARE), Api::start());
    let key = sandbox.key("odd name", "");
    sandbox.conf(["--key", key.to_str().unwrap()]).stdout_has("").run();
    let (config, secrets) = (sandbox.config_text(), fs::read_to_string(sandbox.credentials_file()).unwrap());
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("~/.ssh/odd name", "\r");
    reader.answer("(me)", "\r");
    reader.answer("Lambda API key", "\r");
    reader.answer("Configured: dev", "\r");
    reader.answer("Enter keeps the current one", "\r");
    reader.wait_for("No changes");
    reader.wait_for("[0]");
    assert_eq!(sandbox.config_text(), config);
    assert_eq!(fs::read_to_string(sandbox.credentials_file()).unwrap(), secrets);
}

#[test]
fn a_key_is_checked_when_it_is_named() {
    let (sandbox, api) = (home(""), Api::start());
    let mixed = sandbox.key("a_mixed", "");
    let locked = sandbox.key("b_locked", "words");
    fs::copy(locked.with_extension("pub"), mixed.with_extension("pub")).unwrap();
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Private key", "\r");
    reader.wait_for("a_mixed.pub belongs to another key");
    reader.wait_for("ssh-keygen -y -f");
    // Past both keys, to another file.
    reader.answer("Private key", &format!("{DOWN}{DOWN}\r"));
    reader.answer("Private key file", "~/.ssh/b_locked.pub\r");
    reader.wait_for("is not a private key");
    reader.wait_for("public key");
    reader.answer("Private key file", "~/.ssh/b_locked\r");
    reader.wait_for("The key has a passphrase");
    reader.wait_for("ssh-add");
    reader.answer("User name on", "\x03");
    reader.wait_for("[130]");
}

#[test]
fn a_secret_is_asked_for_and_not_shown() {
    let sandbox = home("");
    let mut terminal = Terminal::run(&sandbox.conf(["set", "daemon.token"]), 24, 80);
    terminal.wait_for("daemon.token (not shown)");
    terminal.type_text("two words\r");
    terminal.wait_for("without spaces");
    terminal.type_text("hush-hush\r");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    assert!(
        !terminal.screen().contains("hush") && !terminal.screen().contains("words\r"),
        "{}",
        terminal.screen()
    );
    assert_eq!(terminal.modes(), untouched());
    sandbox.conf(["get", "--reveal", "daemon.token"]).stdout("hush-hush\n").run();
}

#[test]
fn without_a_terminal_it_names_the_options() {
    let sandbox = home("");
    let run = sandbox
        .conf([])
        .fails(2, ["not a terminal; cannot ask questions"])
        .hint("--key FILE")
        .hint("--instance NAME=HOST");
    run.run();
    let key = sandbox.key("id", "");
    let options =
        ["--key", key.to_str().unwrap(), "--user", "me", "--instance", "dev=192.0.2.7", "--instance", "b=h"];
    sandbox.conf(options).stdout_has("Next: soong tunnel start").run();
    let expected = "[ssh]\nkey = \"~/.ssh/id\"\nuser = \"me\"\n\n[instances.dev]\nhost = \"192.0.2.7\"\n\n[instances.b]\nhost = \"h\"\n";
    assert_eq!(sandbox.config_text(), expected);
    sandbox.conf(["--instance", "dev"]).code(2).stderr_has("NAME=HOST").run();
    sandbox.conf(["--instance", "dev=a b"]).fails(2, ["'a b' is not an address: expected a host name"]).run();
    sandbox.conf(["--key", "/nonexistent"]).fails(1, ["cannot read /nonexistent"]).run();
    assert_eq!(sandbox.config_text(), expected);
}
