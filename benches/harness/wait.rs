//! Waiting for a condition, with a limit.

use std::thread::sleep;
use std::time::{Duration, Instant};

use soong::error::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// Returns once `condition` holds; an error that names `what` if it never does.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= deadline {
            return Err(Error::failed(format!("timed out waiting for {what}")));
        }
        sleep(PAUSE);
    }
    Ok(())
}
