//! Arguments that choose an instance, for commands that reach one.

use std::time::Duration;

use clap::Args;

use crate::completion::Values;
use crate::error::{Error, Result};
use crate::system::time::parse_length;
use crate::terminal::excerpt;

/// Longest `--wait`, in seconds.
pub const WAIT_MAX: u64 = 86_400;

/// The instance that a command means, as a word or as the value of an option.
#[derive(Debug, Clone, Default, Args)]
pub struct NameArguments {
    /// Instance: its name, id, or the start of its id
    #[arg(value_name = "NAME", add = Values::Instances)]
    pub name: Option<String>,
    /// The same as NAME
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

impl NameArguments {
    /// Returns the name that was given.
    pub fn wanted(&self) -> Result<Option<&str>> {
        one_name(self.name.as_deref(), self.instance_id.as_deref())
    }
}

/// Returns the instance that NAME and `--instance-id` mean. Two different ones are a usage error.
pub fn one_name<'a>(name: Option<&'a str>, option: Option<&'a str>) -> Result<Option<&'a str>> {
    match (name, option) {
        (Some(name), Some(option)) if name != option => {
            let (name, option) = (excerpt(name), excerpt(option));
            Err(Error::usage(format!("two instances given: '{name}' and '{option}'"))
                .with_hint("remove NAME or --instance-id"))
        }
        (name, option) => Ok(name.or(option)),
    }
}

/// Instances that a command means, as words or as the value of an option.
#[derive(Debug, Clone, Default, Args)]
pub struct NamesArguments {
    /// Instances: names, ids, or starts of ids
    #[arg(value_name = "NAME", add = Values::Instances)]
    names: Vec<String>,
    /// The same as one NAME
    #[arg(long, value_name = "ID", add = Values::Instances)]
    instance_id: Option<String>,
}

impl NamesArguments {
    /// Returns the names that were given. An option beside words must be the only one of them.
    pub fn wanted(&self) -> Result<Vec<&str>> {
        let option = self.instance_id.as_deref();
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for &name in &names {
            one_name(Some(name), option)?;
        }
        if names.is_empty() {
            names.extend(option);
        }
        Ok(names)
    }
}

/// A time and the instance that it is for, in either order.
#[derive(Debug, Clone, Args)]
pub struct TimeArguments {
    /// Time: hours (2, 1.5) or a duration (90m, 2h30m); NAME of the instance before or after it
    #[arg(value_name = "TIME", required = true, num_args = 1..=2, add = Values::Instances)]
    pub words: Vec<String>,
    /// The same as NAME
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

impl TimeArguments {
    /// Returns the time and the instance. A word is a time if it can be one.
    pub fn resolve(&self) -> Result<(Duration, Option<&str>)> {
        let (time, name) = match self.words.as_slice() {
            [time] => (time, None),
            [first, last] => match (parse_length(first).is_ok(), parse_length(last).is_ok()) {
                (true, true) => return Err(two_times(first, last)),
                (true, false) => (first, Some(last)),
                (false, _) => (last, Some(first)),
            },
            _ => return Err(Error::usage("no time given").with_hint("for example: 2h")),
        };
        let length = parse_length(time).map_err(|fault| no_time(time, &fault))?;
        Ok((length, one_name(name.map(String::as_str), self.instance_id.as_deref())?))
    }
}

fn no_time(word: &str, fault: &str) -> Error {
    Error::usage(format!("'{}' is not a time", excerpt(word)))
        .with_hint(format!("write {fault}"))
        .with_hint("the instance stands beside the time: 2h NAME")
}

fn two_times(first: &str, last: &str) -> Error {
    Error::usage(format!("both '{}' and '{}' can be a time", excerpt(first), excerpt(last)))
        .with_hint("name the instance with --instance-id")
}

/// The instance as an option, for commands whose words mean something else, and the wait for it.
#[derive(Debug, Clone, Default, Args)]
pub struct InstanceArguments {
    /// Instance: its name, id, or the start of its id
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
    /// Wait for the instance to boot [default: 900]
    ///
    /// Waits until the provider says active and the SSH server answers, for at most SECONDS.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "900",
        value_parser = clap::value_parser!(u64).range(1..=WAIT_MAX)
    )]
    pub wait: Option<u64>,
}

impl InstanceArguments {
    /// Returns the time limit for booting and for the SSH server's answer, if waiting was requested.
    pub fn limit(&self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    /// Returns the choice as a request to the inventory.
    pub fn selector(&self, quiet: bool) -> Selector<'_> {
        Selector { wanted: self.instance_id.as_deref(), wait: self.limit(), quiet }
    }
}

/// Request for one instance.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selector<'a> {
    /// Its id, name, or the start of its id; `None` for the only active one.
    pub wanted: Option<&'a str>,
    /// Time limit for an instance that is booting; `None` makes booting an error.
    pub wait: Option<Duration>,
    /// True to wait without output.
    pub quiet: bool,
}

impl<'a> Selector<'a> {
    /// Returns the request for the instance `wanted`, or for the only active one.
    pub fn of(wanted: Option<&'a str>) -> Self {
        Self { wanted, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_twice_is_one_name() {
        assert_eq!(one_name(Some("dev"), None).unwrap(), Some("dev"));
        assert_eq!(one_name(None, Some("dev")).unwrap(), Some("dev"));
        assert_eq!(one_name(Some("dev"), Some("dev")).unwrap(), Some("dev"));
        assert_eq!(one_name(None, None).unwrap(), None);
        let error = one_name(Some("dev"), Some("staging")).unwrap_err();
        assert_eq!(error.to_string(), "two instances given: 'dev' and 'staging'");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_time_and_a_name_stand_in_either_order() {
        let resolve = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            let at = words.iter().position(|word| word == "-i");
            let instance_id = at.map(|at| words.drain(at..).nth(1).unwrap());
            let arguments = TimeArguments { words, instance_id };
            arguments.resolve().map(|(time, name)| (time.as_secs() / 60, name.map(str::to_owned)))
        };
        let dev = Some("dev".to_owned());
        for (text, expected) in [
            ("2", (120, None)),
            ("90m", (90, None)),
            ("2h dev", (120, dev.clone())),
            ("dev 2h", (120, dev.clone())),
            ("2h -i dev", (120, dev.clone())),
            ("dev 2h -i dev", (120, dev)),
            ("2 -i 4", (120, Some("4".to_owned()))),
        ] {
            assert_eq!(resolve(text).unwrap(), expected, "{text}");
        }
        for text in ["dev", "2h 3h", "dev staging", "dev 2h -i staging", "-1", ""] {
            assert_eq!(resolve(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
