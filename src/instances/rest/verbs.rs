//! The subcommands: read an order, ask the account, print the answer or the error object.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::service::Service;
use crate::command_line;
use crate::error::{EXIT_FAILED, Error, Result};
use crate::instances::provider::answer::{Answer, Listed, Single};
use crate::instances::provider::offer::Offers;
use crate::instances::provider::order::{self, INPUT_MAX, TerminateOrder};
use crate::instances::provider::rental::Capabilities;
use crate::instances::provider::{Code, LaunchOrder, Offer, Refused, Verb, refused};

/// Longest time for a question. Shorter than soong's limit for providers, so that this program can report what was slow.
const BUDGET: Duration = Duration::from_secs(18);
/// Longest time for an order, shorter than soong's limit, too.
const ORDER_BUDGET: Duration = Duration::from_secs(70);

/// Result of a request.
pub type Outcome<T> = std::result::Result<T, Refused>;

/// An account at a provider: its instances, what it can rent, and orders.
pub trait Account: Sized {
    /// Its API.
    const SERVICE: &'static Service;

    /// Returns the account of the configured key. All its requests end by `deadline`; finding the key takes
    /// `time` at most.
    fn open(deadline: Instant, time: Duration) -> Result<Self>;

    /// Returns its instances.
    fn instances(&self) -> Outcome<Vec<Listed>>;

    /// Returns the types of machines for rent.
    fn offers(&self) -> Outcome<Vec<Offer>>;

    /// Rents a machine. Never sends the request twice.
    fn launch(&self, order: &LaunchOrder) -> Outcome<Listed>;

    /// Ends an instance.
    fn terminate(&self, order: &TerminateOrder) -> Outcome<Listed>;
}

/// Argument of a provider's program.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Command {
    /// Print the instances as JSON
    List,
    /// Print what this provider can do
    Capabilities,
    /// Print the types of machines for rent as JSON
    Offers,
    /// Rent the machine that a JSON object on standard input describes
    Launch,
    /// End the instance that a JSON object on standard input names
    Terminate,
}

/// Runs `command` and returns the exit code.
pub fn run<A: Account>(command: Command) -> Result<u8> {
    match command {
        // Its errors are on stderr only: soong takes any failure of `list` alike.
        Command::List => print(&Answer::new(&open::<A>(BUDGET)?.instances()?)),
        Command::Capabilities => print(&Capabilities::new(&Verb::ALL)),
        Command::Offers => {
            let account = open::<A>(BUDGET).map_err(unauthorized);
            reply::<A, _>(account.and_then(|account| account.offers()).map(Offers::new))
        }
        Command::Launch => carry_out(A::launch),
        Command::Terminate => carry_out(A::terminate),
    }
}

fn open<A: Account>(time: Duration) -> Result<A> {
    A::open(Instant::now() + time, BUDGET)
}

/// Carries out the order on stdin with `verb`, and prints the instance.
fn carry_out<A: Account, T: for<'a> Deserialize<'a>>(
    verb: impl FnOnce(&A, &T) -> Outcome<Listed>,
) -> Result<u8> {
    let carried_out = read_order().and_then(|order| {
        let account = open::<A>(ORDER_BUDGET).map_err(unauthorized)?;
        verb(&account, &order)
    });
    reply::<A, _>(carried_out.map(Single::new))
}

fn read_order<T: for<'a> Deserialize<'a>>() -> Outcome<T> {
    let mut input = Vec::new();
    io::stdin()
        .take(INPUT_MAX)
        .read_to_end(&mut input)
        .map_err(|source| Error::cannot("read the order from standard input", source))?;
    order::parse(&input).map_err(|reason| Refused::new(Code::Other, reason))
}

/// Returns the refusal for a missing key or a faulty config.
fn unauthorized(error: Error) -> Refused {
    Refused { code: Code::Unauthorized, ..Refused::from(error) }
}

/// Prints an answer, or an error object with its text on stderr. Returns the exit code.
fn reply<A: Account, T: Serialize>(result: Outcome<T>) -> Result<u8> {
    let refused = match result {
        Ok(answer) => return print(&answer),
        Err(refused) => refused,
    };
    command_line::print(&command_line::json_line(&refused::document(&refused))?)?;
    Error::from(refused).report(A::SERVICE.program);
    Ok(EXIT_FAILED)
}

fn print(answer: &impl Serialize) -> Result<u8> {
    command_line::print(&command_line::json_line(answer)?)?;
    Ok(0)
}
