//! `soong-tunnel locate`: tells a supervisor where the provider says that its instance is.

use crate::command_line;
use crate::config::Config;
use crate::error::Result;
use crate::instances::inventory::{self, Location};
use crate::supervisor::protocol::location::Relocation;
use crate::system::paths::Paths;
use crate::system::signals::Watch;

/// Asks the provider of the instance `id` and prints the changes as a JSON line; prints nothing if no
/// provider lists it.
pub fn print_location(id: &str, paths: &Paths) -> Result<()> {
    let config = Config::load(paths)?;
    let watch = Watch::new()?;
    let news = match inventory::locate(id, &config, paths, &watch)? {
        Location::Unknown => return Ok(()),
        Location::Gone(error) => {
            let hints = error.hints().into_iter().map(str::to_owned).collect();
            Relocation::Gone { reason: error.to_string(), hints }
        }
        Location::Found(instance) => Relocation::There { instance },
    };
    let line = serde_json::to_string(&news).unwrap_or_default();
    command_line::print(&format!("{line}\n"))
}
