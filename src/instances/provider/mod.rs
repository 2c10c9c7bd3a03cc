//! Providers: executables that list rented instances, and may rent and end them.
//!
//! `soong-provider-NAME VERB` prints one JSON object and exits with 0. `list` is required (see [`answer`]); the
//! other verbs are optional (see [`rental`]). On failure it exits with another code and explains on stderr: the
//! first line is the reason, lines that begin with `hint: ` are fixes. It gets no terminal, no input except an
//! order, and the limits of its verb; processes that it starts end with it.

pub mod answer;
pub mod arguments;
pub mod cache;
pub mod offer;
pub mod order;
pub mod pattern;
pub mod refused;
pub mod rental;

mod executable;
mod field;
mod program;

use std::ffi::OsStr;

use self::answer::Listed;
use self::program::Call;
use crate::error::Result;
use crate::system::signals::Watch;

pub use self::executable::find;
pub use self::field::API;
pub use self::offer::Offer;
pub use self::order::LaunchOrder;
pub use self::refused::{Code, Refused};
pub use self::rental::{Provider, Verb};

/// Asks the provider `name` for its instances.
pub fn list(name: &str, watch: &Watch) -> Result<Vec<Listed>> {
    list_with(name, &[], watch)
}

/// Asks the provider `name` for its instances, with `environment` added to this process's.
pub fn list_with(name: &str, environment: &[(&str, &OsStr)], watch: &Watch) -> Result<Vec<Listed>> {
    let call = Call { environment, ..Call::new(name, "list") };
    let outcome = call.run(watch).map_err(program::Failure::into_error)?;
    if !outcome.status.success() {
        return Err(program::failed(name, &outcome));
    }
    answer::parse(&outcome.stdout).map_err(|reason| call.unreadable(&reason))
}
