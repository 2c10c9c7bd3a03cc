//! The subcommands: read an order, ask the account, print the answer or the error object.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::client::Client;
use super::endpoint::Endpoint;
use super::key::Key;
use crate::command_line;
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::error::{EXIT_FAILED, Error, Result};
use crate::instances::provider::answer::{Answer, Listed, Single};
use crate::instances::provider::offer::Offers;
use crate::instances::provider::order::{self, INPUT_MAX};
use crate::instances::provider::rental::Capabilities;
use crate::instances::provider::{Code, Refused, Verb, refused};
use crate::system::paths::{self, Paths};
use crate::terminal::printable_json;

/// Name of the program in its messages.
pub(super) const PROGRAM: &str = "soong-provider-lambda";
/// Longest time for a question. Shorter than soong's limit for providers, so that this program can report what was slow.
const BUDGET: Duration = Duration::from_secs(18);
/// Longest time for an order, shorter than soong's limit, too.
const ORDER_BUDGET: Duration = Duration::from_secs(70);

type Outcome<T> = std::result::Result<T, Refused>;

/// Prints the instances. Its errors are on stderr only: soong takes any failure of `list` alike.
pub(super) fn list() -> Result<u8> {
    print(&Answer::new(account(BUDGET)?.instances()?))
}

/// Prints the verbs; needs no key.
pub(super) fn capabilities() -> Result<u8> {
    print(&Capabilities::new(&Verb::ALL))
}

/// Prints the types of machines for rent.
pub(super) fn offers() -> Result<u8> {
    let account = account(BUDGET).map_err(unauthorized);
    reply(account.and_then(|account| account.offers()).map(Offers::new))
}

/// Carries out the order on stdin with `verb`, and prints the instance.
pub(super) fn carry_out<T: for<'a> Deserialize<'a>>(
    verb: impl FnOnce(&Account, &T) -> Outcome<Listed>,
) -> Result<u8> {
    let carried_out = read_order().and_then(|order| {
        let account = account(ORDER_BUDGET).map_err(unauthorized)?;
        verb(&account, &order)
    });
    reply(carried_out.map(Single::new))
}

fn read_order<T: for<'a> Deserialize<'a>>() -> Outcome<T> {
    let mut input = Vec::new();
    io::stdin()
        .take(INPUT_MAX)
        .read_to_end(&mut input)
        .map_err(|source| Error::cannot("read the order from standard input", source))?;
    order::parse(&input).map_err(|reason| Refused::new(Code::Other, reason))
}

/// Returns the account of the configured key.
fn account(time: Duration) -> Result<Account> {
    let deadline = Instant::now() + time;
    let paths = Paths::from_env()?;
    let config = Config::load(&paths)?;
    let endpoint = Endpoint::resolve(paths::lambda_url()?.as_deref(), config.lambda.base_url.as_deref())?;
    let key = Key::obtain(&config.lambda.api_key_command, || Credentials::load(&paths), BUDGET)?;
    Ok(Account { client: Client::new(endpoint, key), deadline })
}

/// Returns the refusal for a missing key or a faulty config.
fn unauthorized(error: Error) -> Refused {
    Refused { code: Code::Unauthorized, ..Refused::from(error) }
}

/// Prints an answer, or an error object with its text on stderr. Returns the exit code.
fn reply<T: Serialize>(result: Outcome<T>) -> Result<u8> {
    let refused = match result {
        Ok(answer) => return print(&answer),
        Err(refused) => refused,
    };
    let json = refused::document(&refused).map_err(|error| unwritable(&error))?;
    command_line::print(&(printable_json(&json).into_owned() + "\n"))?;
    Error::from(refused).report(PROGRAM);
    Ok(EXIT_FAILED)
}

fn print(answer: &impl Serialize) -> Result<u8> {
    let json = serde_json::to_string(answer).map_err(|error| unwritable(&error))?;
    command_line::print(&(printable_json(&json).into_owned() + "\n"))?;
    Ok(0)
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::failed(format!("cannot write JSON: {error}"))
}
