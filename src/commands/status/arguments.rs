//! What can be typed after `soong status`.

use std::time::Duration;

use clap::Parser;

use crate::completion::Values;

/// The command line of `soong-status`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-status",
    bin_name = "soong status",
    version,
    about = "Show your instances, their tunnels and their leases",
    after_help = "What the JSON holds: docs/json.md

Examples:
  soong status
  soong status --watch            look again every 5 seconds
  soong status --json | jq -r '.instances[] | select(.tunnel) | .name'"
)]
pub struct Arguments {
    /// Only this one: its id, the start of it, or its name
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
    /// Ask no provider; show what it last said
    #[arg(long)]
    pub cached: bool,
    /// Print everything as JSON, one object in a line
    #[arg(long)]
    pub json: bool,
    /// Look again and again, by default every 5 s
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1, default_missing_value = "5")]
    pub watch: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds) if (1..=3600).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err("a number of seconds from 1 to 3600".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound_and_its_help_fits() {
        let mut command = Arguments::command();
        command.clone().debug_assert();
        let help = command.render_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
}
