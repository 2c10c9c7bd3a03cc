//! `soong keep TIME`: asks an instance's status daemon for no idle shutdown for a while.

pub mod arguments;

use std::process::ExitCode;

use self::arguments::Arguments;
use crate::command_line;
use crate::config::Config;
use crate::daemon::{self, Kept, client};
use crate::error::Result;
use crate::instances::inventory::{self, Selector};
use crate::runtime::registry;
use crate::system::paths::Paths;
use crate::system::time;
use crate::terminal::print_error;

/// Runs `soong-keep` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-keep", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        keep(arguments, &paths).map(|()| 0)
    })
}

fn keep(arguments: &Arguments, paths: &Paths) -> Result<()> {
    let (length, name) = arguments.words.resolve()?;
    let config = Config::load(paths)?;
    let instance = inventory::choose(&Selector::of(name), &config, paths)?;
    let token = client::require_token(&instance, &config, paths)?;
    let request = daemon::keep_request(token.expose(), length.as_secs().div_ceil(60));
    let kept = daemon::kept(&client::send(&instance, &config, paths, &request)?)?;
    registry::refresh(paths, &instance);
    let (text, warning) = report(&kept, time::now());
    command_line::print(&text)?;
    if let Some(warning) = warning {
        print_error(&warning);
    }
    Ok(())
}

/// Returns the text about a keep, and a warning if the lease ends before.
fn report(kept: &Kept, now: u64) -> (String, Option<String>) {
    let Some(until) = kept.until else { return ("Kept\n".to_owned(), None) };
    let text = format!("No idle shutdown until {}\n", time::clock_and_distance(until, now));
    let end = kept.lease_end.filter(|end| *end < until);
    let warning = end.map(|end| {
        format!(
            "The lease ends before that, at {}; extend it: soong extend 2h\n",
            time::clock_and_distance(end, now)
        )
    });
    (text, warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_end_of_the_lease_is_a_warning() {
        let of = |until, lease_end| report(&Kept { until, lease_end }, 1_767_355_200);
        assert!(of(Some(1_767_358_800), Some(1_767_369_600)).0.ends_with("(in 1 h)\n"));
        assert!(of(Some(1_767_358_800), Some(1_767_369_600)).1.is_none());
        assert!(of(Some(1_767_369_600), Some(1_767_358_800)).1.unwrap().contains("(in 1 h); extend it"));
        assert_eq!(of(None, None).0, "Kept\n");
    }
}
