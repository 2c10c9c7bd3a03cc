//! Renting: the optional verbs `offers`, `launch` and `terminate`, and `capabilities`, which announces them.
//!
//! ```text
//! capabilities                                       → {"api": 1, "verbs": ["list", "offers", "launch", "terminate"]}
//! offers                                             → {"api": 1, "offers": […]}, see `offer`
//! launch    ← {"api": 1, "name", "type", "region"…}  → {"api": 1, "instance": {as in list}}, see `order`
//! terminate ← {"api": 1, "id"}                       → {"api": 1, "instance": {as in list}}
//! ```
//!
//! Errors carry a code, see [`super::refused`]. `launch` is not repeatable: whatever leaves it open whether a
//! machine was rented is [`Code::UnknownOutcome`], and the caller looks for the order's name before it goes on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::{Listed, Single};
use super::field;
use super::offer::{Offer, Offers};
use super::order::{self, LaunchOrder, TerminateOrder};
use super::program::{self, Call, Failure};
use super::refused::{self, Code, Refused};
use crate::error::{EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_USAGE, Error};
use crate::system::child::{Limits, Outcome};
use crate::system::signals::Watch;

/// Limits of a verb that changes something: providers answer a launch only after they have found a machine.
const ORDER_LIMITS: Limits = Limits { time: Duration::from_secs(90), output: 1 << 20 };

/// Argument of a provider's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// List instances. All providers can.
    List,
    /// List types of machines for rent.
    Offers,
    /// Rent a machine.
    Launch,
    /// End an instance.
    Terminate,
}

impl Verb {
    /// All verbs that soong uses, beside `capabilities`.
    pub const ALL: [Self; 4] = [Self::List, Self::Offers, Self::Launch, Self::Terminate];

    /// Returns the word for it, the program's argument.
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Offers => "offers",
            Self::Launch => "launch",
            Self::Terminate => "terminate",
        }
    }
}

/// Answer to `capabilities`.
#[derive(Debug, Serialize)]
pub struct Capabilities {
    api: u64,
    /// The verbs of the provider.
    pub verbs: Vec<Verb>,
}

#[derive(Deserialize)]
struct RawCapabilities {
    #[serde(rename = "api")]
    _api: field::Version,
    verbs: Option<Vec<String>>,
}

impl Capabilities {
    /// Returns the answer that announces `verbs`.
    pub fn new(verbs: &[Verb]) -> Self {
        Self { api: field::API, verbs: verbs.to_vec() }
    }

    /// Parses a provider's output. Verbs that soong does not know are left out; without `verbs`, the program
    /// does not know `capabilities` and can only list.
    fn parse(bytes: &[u8]) -> Result<Vec<Verb>, String> {
        let raw: RawCapabilities = field::document(bytes)?;
        let words = raw.verbs.unwrap_or_default();
        let known = |verb: &Verb| *verb == Verb::List || words.iter().any(|word| word == verb.word());
        Ok(Verb::ALL.into_iter().filter(known).collect())
    }
}

/// A provider of machines for rent.
#[derive(Debug, Clone, Copy)]
pub struct Provider<'a> {
    name: &'a str,
    watch: &'a Watch,
}

impl<'a> Provider<'a> {
    /// Returns the provider `name`. A signal caught by `watch` ends its calls.
    pub fn new(name: &'a str, watch: &'a Watch) -> Self {
        Self { name, watch }
    }

    /// Returns its name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the verbs that it announces. A program that does not know the question can only list.
    pub fn capabilities(&self) -> Result<Vec<Verb>, Refused> {
        let call = Call::new(self.name, "capabilities");
        let outcome = call.run(self.watch).map_err(|failure| not_asked(&failure.into_error()))?;
        match outcome.status.code() {
            Some(0) => Capabilities::parse(&outcome.stdout)
                .map_err(|reason| Refused::from_error(Code::Other, &call.unreadable(&reason))),
            Some(code) if is_missing_verb(code) || refused::parse(&outcome.stdout).is_none() => {
                Ok(vec![Verb::List])
            }
            _ => Err(self.failure(&outcome, Code::Other)),
        }
    }

    /// Returns the types of machines for rent.
    pub fn offers(&self) -> Result<Vec<Offer>, Refused> {
        let call = Call::new(self.name, Verb::Offers.word());
        let outcome = call.run(self.watch).map_err(|failure| not_asked(&failure.into_error()))?;
        if !outcome.status.success() {
            return Err(self.failure(&outcome, Code::Other));
        }
        Offers::parse(&outcome.stdout, self.name)
            .map(|answer| answer.offers)
            .map_err(|reason| Refused::from_error(Code::Other, &call.unreadable(&reason)))
    }

    /// Rents a machine and returns it, usually booting. Never repeats the request.
    pub fn launch(&self, order: &LaunchOrder) -> Result<Listed, Refused> {
        self.order(Verb::Launch, order)
    }

    /// Ends the instance `id` and returns it, usually terminating. An instance that is gone is
    /// [`Code::NotFound`].
    pub fn terminate(&self, id: &str) -> Result<Listed, Refused> {
        self.order(Verb::Terminate, &TerminateOrder { id: id.to_owned() })
    }

    fn order(&self, verb: Verb, order: &impl Serialize) -> Result<Listed, Refused> {
        let input = order::input(order)
            .map_err(|error| Refused::new(Code::Other, format!("cannot write JSON: {error}")))?;
        let call = Call { input: Some(input), limits: ORDER_LIMITS, ..Call::new(self.name, verb.word()) };
        let outcome = call.run(self.watch).map_err(|failure| match failure {
            Failure::NotStarted(error) => not_asked(&error),
            Failure::Ended(error) => Refused::from_error(Code::UnknownOutcome, &error),
        })?;
        if !outcome.status.success() {
            return Err(self.failure(&outcome, Code::UnknownOutcome));
        }
        Single::parse(&outcome.stdout)
            .map(|answer| answer.instance)
            .map_err(|reason| Refused::from_error(Code::UnknownOutcome, &call.unreadable(&reason)))
    }

    /// Returns the failure of a run that ended with an error. Without an error object its code is `otherwise`,
    /// unless the program does not know the verb.
    fn failure(&self, outcome: &Outcome, otherwise: Code) -> Refused {
        let described = program::failed(self.name, outcome);
        let Some((code, message, retry_after)) = refused::parse(&outcome.stdout) else {
            let code =
                if outcome.status.code().is_some_and(is_missing_verb) { Code::Other } else { otherwise };
            return Refused::from_error(code, &described);
        };
        let hints = Refused::from_error(code, &described).hints;
        let message = match message.trim() {
            "" => code.word().to_owned(),
            message => program::shown(message),
        };
        Refused { code, message: format!("the provider {} failed: {message}", self.name), retry_after, hints }
    }
}

/// Exit codes of a program that did nothing: wrong usage, or not executed at all.
fn is_missing_verb(code: i32) -> bool {
    [EXIT_USAGE, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND].map(i32::from).contains(&code)
}

/// Returns the failure of a call that changed nothing.
fn not_asked(error: &Error) -> Refused {
    Refused::from_error(Code::Other, error)
}

#[cfg(test)]
mod tests;
