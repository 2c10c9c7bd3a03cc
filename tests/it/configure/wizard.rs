//! The wizard, at a terminal.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use nix::pty::openpty;
use nix::sys::termios::{Termios, tcgetattr};

use super::provider::{Api, GOOD_KEY};
use super::{WITH_CARE, home, mode};
use crate::support::config::user;
use crate::support::run::Run;
use crate::support::runpod_cloud::{KEY as RUNPOD_KEY, RunpodCloud};
use crate::support::sandbox::Sandbox;
use crate::support::sshd::{Options, Sshd};
use crate::support::terminal::Terminal;
use crate::support::{ports, tools, wait};

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
const ESCAPE: &str = "\x1b";
const QUESTIONS: [&str; 7] =
    ["Where do your", "Name of", "Address (", "Private key", "User name on", "What now?", "[y/N]"];

/// Path to the address in the menu of sources: below Lambda Cloud and RunPod.
fn to_address() -> String {
    format!("{DOWN}{DOWN}\r")
}

/// A home whose only key is the one that `sshd` accepts.
fn home_of(sshd: &Sshd, config: &str) -> Sandbox {
    let sandbox = home(&format!("{config}[ssh]\noptions = \"-F none\"\n"));
    let key = sandbox.home().join(".ssh/id_ed25519");
    sandbox.write(&key, fs::read(sshd.key()).unwrap());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    sandbox
}

#[test]
fn all_is_asked_checked_and_written_and_no_secret_shown() {
    let (sandbox, api) = (Sandbox::new(), Api::start());
    fs::remove_file(sandbox.config_file()).unwrap();
    sandbox.key("id_ed25519", "");
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Where do your instances come from?", "\r");
    reader.answer("API key of Lambda Cloud", "bad-key-4711\r");
    reader.wait_for("rejects the API key");
    reader.answer("What now?", "\r");
    // Ctrl-U takes back what was typed, though it cannot be seen.
    reader.answer("API key of Lambda Cloud", &format!("slip-4711\x15{GOOD_KEY}\r"));
    reader.wait_for("Key accepted");
    reader.answer("Private key", "\r");
    reader.answer("User name on", "\r");
    reader.wait_for("No instance to log in to yet");
    reader.answer("run there? [y/N] ", "perhaps\r");
    reader.answer("run there? [y/N] ", "y\r");
    reader.answer("Its token", "\r");
    reader.wait_for("Created a token");
    reader.wait_for("Next: soong tunnel start");
    reader.wait_for("[0]");
    let screen = reader.terminal.screen();
    assert!(!screen.contains("4711"), "{screen}");
    let expected = "[ssh]\nkey = \"~/.ssh/id_ed25519\"\n\n[providers]\nlambda = true\n";
    assert_eq!(sandbox.config_text(), expected);
    assert_eq!((mode(&sandbox.config_file()), mode(&sandbox.credentials_file())), (0o600, 0o600));
    sandbox.conf(["get", "--reveal", "lambda.api-key"]).stdout(format!("{GOOD_KEY}\n")).run();
    let token = sandbox.conf(["get", "--reveal", "daemon.token"]).stdout_has("").run().stdout;
    assert!(token.trim().len() == 43 && !screen.contains(token.trim()));
}

#[test]
fn an_address_is_proved_by_a_login() {
    let sshd = Sshd::start();
    let (sandbox, api) = (home_of(&sshd, ""), Api::start());
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Where do your", &to_address());
    reader.answer("Name of", "prod\r");
    reader.answer("Address (", "a b\r");
    reader.wait_for("expected a host name or address");
    reader.answer("Address (", &format!("{}@127.0.0.1:{}\r", user(), sshd.port));
    reader.answer("Private key", "\r");
    // The address has named the user.
    reader.wait_for(&format!("Logged in to prod as {}@127.0.0.1 in ", user()));
    assert_eq!(sshd.logins(), 1);
    reader.answer("run there? [y/N] ", "\r");
    reader.wait_for("Next: soong tunnel start");
    reader.wait_for("[0]");
    let text = sandbox.config_text();
    let instance =
        format!("[instances.prod]\nhost = \"127.0.0.1\"\nuser = \"{}\"\nport = {}\n", user(), sshd.port);
    assert!(text.contains(&instance) && text.contains("key = \"~/.ssh/id_ed25519\"\n"), "{text}");
    // Without a daemon, its token is mentioned where it is stored, and the user need do nothing with it.
    let screen = reader.terminal.screen();
    assert!(screen.contains("with a new token, in case"), "{screen}");
    assert!(!screen.contains("Created a token") && !screen.contains("--reveal"), "{screen}");
    let pinned = fs::read_to_string(sandbox.path("home/.local/state/soong/known_hosts")).unwrap();
    assert_eq!(pinned, "", "a test pins nothing");
}

#[test]
fn a_login_that_fails_says_why_and_leads_back_or_on() {
    let sshd = Options::default().refuse_key().start();
    let (sandbox, api) = (home_of(&sshd, ""), Api::start());
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Where do your", &to_address());
    reader.answer("Name of", "\r");
    reader.answer("Address (", &format!("127.0.0.1:{}\r", sshd.port));
    reader.answer("Private key", "\r");
    reader.answer("User name on", &format!("{}\r", user()));
    let denied = format!("cannot log in to dev: {}@127.0.0.1: Permission denied (publickey)", user());
    reader.wait_for(&denied);
    reader.wait_for(" the instance does not accept the key ");
    // Back, over all questions to the first, and on again.
    reader.answer("What now?", "\r");
    reader.answer("User name on", "<\r");
    reader.answer("Private key", ESCAPE);
    reader.answer("Name of", "<\r");
    reader.answer("Where do your", "\r");
    reader.answer("Name of", "\r");
    // The answers given before are offered again.
    reader.answer(&format!("127.0.0.1:{}", sshd.port), "<\r");
    reader.answer("Name of", "\r");
    reader.answer("Address (", "\r");
    reader.answer("Private key", "\r");
    reader.answer("User name on", "\r");
    reader.wait_for(&denied);
    reader.answer("What now?", &format!("{DOWN}\r"));
    reader.answer("run there? [y/N] ", "<\r");
    reader.answer("User name on", "\r");
    reader.answer("What now?", &format!("{DOWN}\r"));
    reader.answer("run there? [y/N] ", "n\r");
    reader.wait_for("[0]");
    assert!(sandbox.config_text().contains("[instances.dev]\nhost = \"127.0.0.1\"\n"));
}

#[test]
fn a_login_that_takes_long_shows_what_it_waits_for_and_ends() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (sandbox, api) = (home("[ssh]\noptions = \"-F none\"\nconnect-timeout = 3\n"), Api::start());
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Where do your", &to_address());
    reader.answer("Name of", "\r");
    reader.answer("Address (", &format!("me@127.0.0.1:{port}\r"));
    // Without a key, "none" is offered first.
    reader.answer("none: leave it", "\r");
    reader.wait_for("Logging in to dev: ");
    reader.wait_for("cannot log in to dev: ");
    reader.wait_for(" the port is reachable, but its SSH server does not respond");
    reader.answer("What now?", "\x03");
    reader.wait_for("[130]");
}

/// The instances of a provider that soong asks by its program.
#[test]
fn an_instance_of_a_provider_is_logged_in_to() {
    let sshd = Sshd::start();
    let mut sandbox = home_of(&sshd, "");
    let listing = format!(
        r#"{{"api":1,"instances":[{{"id":"b1","name":"old","status":"terminated"}},
        {{"id":"a1","name":"train","status":"active","host":"127.0.0.1","port":{},"user":"{}"}}]}}"#,
        sshd.port,
        user()
    );
    sandbox.provide("mine", &format!("echo '{listing}'"));
    let path = format!("{}:{}", sandbox.path("bin").display(), tools::system_path().display());
    let mut reader = Reader::start(&configure(&sandbox, &Api::start()).env("PATH", path));
    // The enabled one is offered first.
    reader.wait_for("mine (enabled)");
    reader.terminal.type_text("\r");
    reader.wait_for("Instances at mine: 2");
    reader.answer("Private key", "\r");
    reader.wait_for("Logged in to train as ");
    reader.answer("run there? [y/N] ", "\r");
    reader.wait_for("[0]");
}

#[test]
fn a_key_of_runpod_is_checked_and_stored() {
    let (sandbox, cloud) = (home(""), RunpodCloud::start());
    sandbox.write(&sandbox.config_file(), format!("[runpod]\nbase-url = \"{}/v1\"\n", cloud.url()));
    let mut reader = Reader::start(&configure(&sandbox, &Api::start()));
    reader.answer("Where do your", &format!("{DOWN}\r"));
    reader.answer("API key of RunPod", &format!("{RUNPOD_KEY}\r"));
    reader.wait_for("Key accepted; instances: 0");
    reader.answer("none: leave it", "\r");
    reader.answer("User name on", "\r");
    reader.answer("run there? [y/N] ", "\r");
    reader.wait_for("[0]");
    assert!(sandbox.config_text().contains("[providers]\nrunpod = true\n"), "{}", sandbox.config_text());
    sandbox.conf(["get", "--reveal", "runpod.api-key"]).stdout(format!("{RUNPOD_KEY}\n")).run();
}

#[test]
fn ctrl_c_at_any_question_leaves_files_and_terminal_as_they_were() {
    let (sandbox, api) = (home(WITH_CARE), Api::start());
    sandbox.key("id_ed25519", "");
    // Refuses connections, so that the login ends at once.
    let address = format!("127.0.0.1:{}\r", ports::free());
    let before = sandbox.files();
    for last in 0..QUESTIONS.len() {
        let mut reader = Reader::start(&configure(&sandbox, &api));
        for question in &QUESTIONS[..last] {
            reader.answer(
                question,
                match *question {
                    "Address (" => &address,
                    "What now?" => DOWN_ENTER,
                    _ => "\r",
                },
            );
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

const DOWN_ENTER: &str = "\x1b[B\r";

#[test]
fn again_the_answers_are_those_given_before() {
    let sshd = Sshd::start();
    let (sandbox, api) = (home(WITH_CARE), Api::start());
    let key = sandbox.key("odd name", "");
    fs::copy(sshd.key(), &key).unwrap();
    fs::remove_file(key.with_extension("pub")).unwrap();
    sandbox.conf(["--key", key.to_str().unwrap(), "--user", &user()]).stdout_has("").run();
    sandbox.conf(["set", "ssh.options", "-F none"]).run();
    sandbox.conf(["set", "instances.dev.host", &format!("127.0.0.1:{}", sshd.port)]).run();
    let (config, secrets) = (sandbox.config_text(), fs::read_to_string(sandbox.credentials_file()).unwrap());
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.wait_for("(configured: dev)");
    reader.terminal.type_text("\r");
    reader.answer("Name of", "\r");
    reader.answer("127.0.0.1", "\r");
    reader.answer("~/.ssh/odd name", "\r");
    reader.answer("User name on", "\r");
    reader.wait_for("Logged in to dev");
    reader.answer("Change the token of your status daemon? [y/N] ", "\r");
    reader.wait_for("No changes");
    reader.wait_for("[0]");
    assert_eq!(sandbox.config_text(), config);
    assert_eq!(fs::read_to_string(sandbox.credentials_file()).unwrap(), secrets);
}

#[test]
fn each_key_is_listed_once_and_none_is_always_a_choice() {
    let (sandbox, api) = (home(""), Api::start());
    let key = sandbox.key("id_ed25519", "");
    // Written in another way than the wizard would.
    sandbox.write(&sandbox.config_file(), format!("[ssh]\nkey = \"{}\"\n", key.display()));
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Where do your", &format!("{DOWN}{DOWN}{DOWN}\r"));
    reader.wait_for("none: leave it to ssh and the agent");
    let screen = reader.terminal.screen();
    let menu = &screen[screen.find("Private key").unwrap()..];
    assert_eq!(menu.matches("~/.ssh/id_ed25519").count(), 1, "{menu}");
    assert!(!menu.contains(&key.display().to_string()), "{menu}");
    reader.terminal.type_text(&format!("{DOWN}{DOWN}\r"));
    reader.answer("User name on", "\r");
    reader.wait_for("[0]");
    assert!(!sandbox.config_text().contains("key"), "{}", sandbox.config_text());
}

#[test]
fn a_key_is_checked_when_it_is_named() {
    let (sandbox, api) = (home(""), Api::start());
    let mixed = sandbox.key("a_mixed", "");
    let locked = sandbox.key("b_locked", "words");
    fs::copy(locked.with_extension("pub"), mixed.with_extension("pub")).unwrap();
    let mut reader = Reader::start(&configure(&sandbox, &api));
    reader.answer("Where do your", &format!("{DOWN}{DOWN}{DOWN}\r"));
    reader.answer("Private key", "\r");
    reader.wait_for("a_mixed.pub belongs to another key");
    reader.wait_for("ssh-keygen -y -f");
    // Past both keys, to another file, back, and there again.
    reader.answer("Private key", &format!("{DOWN}{DOWN}\r"));
    reader.answer("Private key file", "<\r");
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
