//! Command line of `soong extend`.

use clap::Parser;

use crate::completion::Values;

/// The command line of `soong-extend`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-extend",
    bin_name = "soong extend",
    version,
    about = "Extend the lease of an instance",
    long_about = "Extend the lease of an instance.\n\n\
        Asks the status daemon on the instance, through the tunnel if it is up and otherwise over a \
        new SSH connection. The daemon can grant less than requested; the answer says when the \
        instance will shut down.",
    after_help = "Examples:
  soong extend 2
  soong extend 4 --instance-id a1b2c3d4"
)]
pub struct Arguments {
    /// Hours to add, 1 to 720
    #[arg(value_name = "HOURS", value_parser = hours)]
    pub hours: u32,
    /// Instance: its name, id, or the start of its id
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

/// One month. More is a typing mistake.
const HOURS_MAX: u32 = 720;

fn hours(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(hours) if (1..=HOURS_MAX).contains(&hours) => Ok(hours),
        _ => Err(format!("a whole number of hours from 1 to {HOURS_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_whole_and_within_reason() {
        assert_eq!(hours("2"), Ok(2));
        for text in ["0", "-1", "1.5", "two", "", "721", "99999999999"] {
            assert!(hours(text).is_err(), "{text}");
        }
    }
}
