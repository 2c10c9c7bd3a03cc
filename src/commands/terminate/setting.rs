//! All that ending an instance needs.

use crate::config::Config;
use crate::system::paths::Paths;
use crate::system::signals::Watch;

/// Paths, config, and the watch that holds signals back.
pub(super) struct Setting {
    pub paths: Paths,
    pub config: Config,
    pub watch: Watch,
}
