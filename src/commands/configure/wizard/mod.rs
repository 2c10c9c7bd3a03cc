//! The wizard: asks one question at a time, checks each answer, and saves after the last.
//!
//! ```text
//! source ─┬─ API key ─┬─ key ─ user ─ login ─ daemon ─→ setup
//!         ├─ address ─┤
//!         └───────────┘
//! ```
//!
//! Every question can be answered with a way back. The login is a real one, with the answers so far.

mod answers;
mod login;
mod provider;
mod questions;
mod source;
mod turn;

use self::answers::{Answers, Present};
use self::source::Source;
use self::turn::Turn;
use super::dialog::BACK;
use super::setup;
use crate::config::credentials::Credentials;
use crate::config::{self, Config};
use crate::error::Result;
use crate::system::paths::Paths;
use crate::terminal::print_error;

/// A step of the wizard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Where the instances come from.
    Source,
    /// The API key of the provider.
    ApiKey,
    /// Name and address of an instance.
    Address,
    /// The private key.
    Key,
    /// The user name.
    User,
    /// A login with the answers.
    Login,
    /// The token of the status daemon.
    Daemon,
}

/// Asks all questions and saves the answers.
pub fn run(paths: &Paths) -> Result<()> {
    let text = config::read(paths.config_file())?;
    let config = Config::parse(&text, paths.config_file(), paths)
        .map_err(|error| error.with_hint("fix it first: soong configure edit"))?;
    let present = Present { text, config, credentials: Credentials::load(paths)? };
    print_error(&format!(
        "Nothing is saved before the last answer; Ctrl-C quits without changes.\n\
         To go back, press Esc in a list, or answer {BACK}\n\n"
    ));
    let mut answers = Answers::default();
    let mut asked = Vec::new();
    let mut step = Step::Source;
    loop {
        match ask(step, &mut answers, &present, paths)? {
            Turn::Back => {
                step = asked.pop().unwrap_or(Step::Source);
                continue;
            }
            Turn::Asked => asked.push(step),
            Turn::Silent => {}
        }
        match following(step, &answers) {
            Some(next) => step = next,
            None => return setup::apply(answers.into_setup(&present), paths),
        }
    }
}

fn ask(step: Step, answers: &mut Answers, present: &Present, paths: &Paths) -> Result<Turn> {
    match step {
        Step::Source => questions::ask_source(answers, present),
        Step::ApiKey => provider::ask_api_key(answers, present, paths),
        Step::Address => questions::ask_address(answers, present),
        Step::Key => questions::ask_key(answers, present, paths),
        Step::User => questions::ask_user(answers, present),
        Step::Login => login::test(answers, present, paths),
        Step::Daemon => questions::ask_daemon_token(answers, present),
    }
}

/// Returns the step after `step`; `None` after the last.
fn following(step: Step, answers: &Answers) -> Option<Step> {
    match step {
        Step::Source => Some(match answers.source {
            Some(Source::Cloud(_) | Source::Other(_)) => Step::ApiKey,
            Some(Source::Address) => Step::Address,
            Some(Source::Nothing) | None => Step::Key,
        }),
        Step::ApiKey | Step::Address => Some(Step::Key),
        Step::Key if answers.user_is_given() => Some(Step::Login),
        Step::Key => Some(Step::User),
        // Without an instance there is neither a login nor a daemon.
        Step::User if answers.source == Some(Source::Nothing) => None,
        Step::User => Some(Step::Login),
        Step::Login => Some(Step::Daemon),
        Step::Daemon => None,
    }
}
