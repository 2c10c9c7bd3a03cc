//! The question for a provider's API key, and what the provider lists with it.

use super::answers::{Answers, Present};
use super::source::Source;
use super::turn::{Turn, told};
use crate::commands::configure::cloud::Cloud;
use crate::commands::configure::dialog::BACK;
use crate::commands::configure::{api_key, dialog, secret, setting};
use crate::config::credentials::Secret;
use crate::error::Result;
use crate::system::paths::Paths;
use crate::terminal::{print_error, printable};

/// Returns true if a command prints the API key of `cloud`.
fn has_command(cloud: Cloud, present: &Present) -> bool {
    let command = match cloud {
        Cloud::Lambda => &present.config.lambda.api_key_command,
        Cloud::RunPod => &present.config.runpod.api_key_command,
    };
    !command.is_empty()
}

/// Asks for the API key until the provider accepts it or the user stops. Remembers what the provider lists.
pub(super) fn ask_api_key(answers: &mut Answers, present: &Present, paths: &Paths) -> Result<Turn> {
    answers.listed.clear();
    let cloud = match &answers.source {
        Some(Source::Cloud(cloud)) => *cloud,
        Some(Source::Other(name)) => {
            let name = name.clone();
            list_other(&name, answers);
            return Ok(Turn::Silent);
        }
        _ => return Ok(Turn::Silent),
    };
    let title = cloud.title();
    answers.has_provider = true;
    if has_command(cloud, present) {
        print_error(&format!("The API key of {title} comes from {}.api-key-command\n", cloud.name()));
        return Ok(match try_key(cloud, None, answers, paths)? {
            Verdict::Good | Verdict::Kept => Turn::Silent,
            Verdict::Back | Verdict::Again => Turn::Back,
        });
    }
    let is_stored = setting::stored(&present.credentials, cloud.secret()).is_some();
    let otherwise = if is_stored { "Enter keeps the current one" } else { "Enter for none" };
    loop {
        let question = format!("API key of {title} (not shown; {otherwise})");
        let typed = dialog::secret(&question, secret::optional)?;
        if typed == BACK {
            return Ok(Turn::Back);
        }
        let key = Secret::new(&typed);
        answers.api_key.clone_from(&key);
        if key.is_none() && !is_stored {
            answers.has_provider = false;
            return Ok(Turn::Asked);
        }
        match try_key(cloud, key.as_ref(), answers, paths)? {
            Verdict::Good | Verdict::Kept => return Ok(Turn::Asked),
            Verdict::Back => return Ok(Turn::Back),
            Verdict::Again => {}
        }
    }
}

/// Result of a question with a key.
enum Verdict {
    /// The provider accepts it.
    Good,
    /// It could not be checked, or the user keeps it all the same.
    Kept,
    /// The user wants to enter another one.
    Again,
    /// Back to the question before.
    Back,
}

/// Lists instances with `key`, or the stored key.
fn try_key(cloud: Cloud, key: Option<&Secret>, answers: &mut Answers, paths: &Paths) -> Result<Verdict> {
    if !api_key::can_check(cloud) {
        return Ok(Verdict::Kept);
    }
    match api_key::list(cloud, key, paths) {
        Ok(listed) => {
            print_error(&format!("Key accepted; instances: {}\n", listed.len()));
            answers.listed = listed;
            return Ok(Verdict::Good);
        }
        Err(error) => print_error(&told(&error)),
    }
    let ways = ["enter it again", "keep it anyway", "continue without it"].map(str::to_owned);
    Ok(match dialog::choice("What now?", &ways, 0)? {
        None => Verdict::Back,
        Some(0) => Verdict::Again,
        Some(1) => Verdict::Kept,
        Some(_) => {
            answers.api_key = None;
            answers.has_provider = false;
            Verdict::Kept
        }
    })
}

/// Lists the instances of another enabled provider. Reports a failure and goes on.
fn list_other(name: &str, answers: &mut Answers) {
    match api_key::list_enabled(name) {
        Ok(listed) => {
            print_error(&format!("Instances at {}: {}\n", printable(name), listed.len()));
            answers.listed = listed;
        }
        Err(error) => print_error(&told(&error)),
    }
}
