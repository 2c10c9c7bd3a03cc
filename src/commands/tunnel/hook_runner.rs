//! `soong-tunnel hooks`: runs the user's hooks for the events that a supervisor writes to its standard input.
//!
//! A hook gets the facts in its environment, no input, a process group and a time limit; its output goes to
//! the tunnel's log. Hooks run one at a time; of the states of the tunnel that arrive meanwhile, only the last is kept.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::{fs, thread};

use crate::error::Result;
use crate::runtime::hook;
use crate::runtime::log::Log;
use crate::supervisor::protocol::hook_event::Event;
use crate::system::paths::Paths;
use crate::system::signals::Watch;

/// `soong-tunnel hooks`: runs the hooks of the tunnel `name` for the events on standard input.
pub fn run(name: &str, paths: &Paths) {
    let (sender, events) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(io::stdin()).lines().map_while(io::Result::ok);
        let events = lines.filter_map(|line| serde_json::from_str::<Event>(&line).ok());
        // The end of the events ends this thread, and so the channel.
        let _ = events.into_iter().try_for_each(|event| sender.send(event));
    });
    let directory = paths.hooks();
    let mut waiting = Vec::new();
    while let Some(event) = next(&events, &mut waiting) {
        let hook = directory.join(event.occasion.word());
        if fs::symlink_metadata(&hook).is_ok() {
            let log = Log::new(paths.log(name));
            for line in report(&event, run_one(&hook, &event)) {
                log.write(&line);
            }
        }
    }
}

/// Returns the next event to report; waits for one if there is none. Of the states that wait, only the last is kept.
fn next(events: &Receiver<Event>, waiting: &mut Vec<Event>) -> Option<Event> {
    if waiting.is_empty() {
        waiting.push(events.recv().ok()?);
    }
    for event in events.try_iter() {
        if event.occasion.is_state() {
            waiting.retain(|before| !before.occasion.is_state());
        }
        waiting.push(event);
    }
    Some(waiting.remove(0))
}

/// Returns the log lines about a hook.
fn report(event: &Event, said: Result<Vec<String>>) -> Vec<String> {
    let hook = event.occasion.word();
    match said {
        Ok(lines) => lines.into_iter().map(|line| format!("hook {hook}: {line}")).collect(),
        Err(error) => {
            let hints = error.hints().into_iter().map(|hint| format!("; {hint}")).collect::<String>();
            vec![format!("hook {hook}: {error}{hints}")]
        }
    }
}

fn run_one(hook: &Path, event: &Event) -> Result<Vec<String>> {
    hook::run(hook, &event.variables, &Watch::new()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::supervisor::protocol::hook_event::Occasion;

    fn event(occasion: Occasion) -> Event {
        Event { occasion, variables: vec![("SOONG_X".into(), "a b".into())] }
    }

    #[test]
    fn of_the_states_that_wait_the_last_counts_and_nothing_else_is_lost() {
        use Occasion::{Down, Failed, Gone, LeaseEnding, Up};
        let (sender, events) = channel();
        let mut waiting = Vec::new();
        for occasion in [Up, Down, LeaseEnding, Up, Failed, Gone, LeaseEnding] {
            sender.send(event(occasion)).unwrap();
        }
        let mut told = |wanted| assert_eq!(next(&events, &mut waiting), Some(event(wanted)));
        told(LeaseEnding);
        told(Failed);
        sender.send(event(Up)).unwrap();
        for occasion in [Gone, LeaseEnding, Up] {
            told(occasion);
        }
        drop(sender);
        assert_eq!(next(&events, &mut waiting), None);
    }

    #[test]
    fn a_hook_that_others_could_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let hook = directory.path().join("up");
        fs::write(&hook, "#!/bin/sh\necho \"$SOONG_X\"; echo why >&2; exit 3\n").unwrap();
        let run = |mode| {
            fs::set_permissions(&hook, fs::Permissions::from_mode(mode)).unwrap();
            report(&event(Occasion::Up), run_one(&hook, &event(Occasion::Up))).join("\n")
        };
        assert!(run(0o600).contains("is not executable; chmod +x"));
        assert!(run(0o722).contains("is not used: the file is writable by everyone; fix it: chmod go-w"));
        assert_eq!(run(0o700), "hook up: a b\nhook up: why\nhook up: exit status: 3");
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("up");
        symlink(&hook, &link).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(run(0o700).contains("is writable by everyone"));
        let said = report(&event(Occasion::Up), run_one(&link, &event(Occasion::Up))).join("\n");
        assert!(said.contains("is writable by everyone"), "a link leads there: {said}");
    }
}
