//! What can be typed after `soong extend`.

use clap::Parser;

use crate::completion::Values;

/// The command line of `soong-extend`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-extend",
    bin_name = "soong extend",
    version,
    about = "Extend the lease of an instance",
    after_help = "The status daemon on the instance is asked, over the tunnel when one is up, else
over an SSH connection of its own. It may grant less than asked for.

Examples:
  soong extend 2
  soong extend 4 --instance-id a1b2c3d4"
)]
pub struct Arguments {
    /// How many hours longer the instance is to live
    #[arg(value_name = "HOURS", value_parser = hours)]
    pub hours: u32,
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

/// A month. What is more is a slip of the finger.
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
    use clap::CommandFactory;

    #[test]
    fn hours_are_whole_and_within_reason() {
        Arguments::command().debug_assert();
        assert_eq!(hours("2"), Ok(2));
        for text in ["0", "-1", "1.5", "two", "", "721", "99999999999"] {
            assert!(hours(text).is_err(), "{text}");
        }
    }
}
