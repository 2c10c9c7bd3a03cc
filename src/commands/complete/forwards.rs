//! Candidates for `--forward`, `--remote`, `--socks` and `soong tunnel forward`: for removal, the forwards of
//! running tunnels; otherwise those of the config, and the typed text completed.

use crate::completion::Candidate;
use crate::config::Config;
use crate::config::forwarding::{ForwardSpec, Kind};
use crate::runtime::state::State;

/// Usual port of SOCKS proxies.
const SOCKS: u16 = 1080;

/// Returns the candidates for forwards of `kind`. The words `before` may name a tunnel in `running`; `typed`
/// is the beginning of the word at the cursor.
pub(super) fn candidates(
    kind: Kind,
    before: &[&str],
    typed: &str,
    running: &[State],
    config: Option<&Config>,
) -> Vec<Candidate> {
    if before.contains(&"--remove") {
        return removable(kind, before, running);
    }
    let carried =
        |spec: &ForwardSpec| running.iter().flat_map(State::others).any(|forward| forward.spec == *spec);
    let written = config.into_iter().flat_map(|config| &config.tunnels).flat_map(|instance| {
        let candidates = instance
            .forwardings
            .iter()
            .filter(|spec| spec.kind() == kind && !carried(spec) && !before.contains(&text(spec).as_str()));
        candidates.map(|spec| Candidate::new(text(spec), format!("that of {}", instance.name)))
    });
    let mut candidates: Vec<Candidate> = written.collect();
    candidates.extend(whole(kind, typed).filter(|made| candidates.iter().all(|it| it.value != made.value)));
    candidates
}

/// Returns the listening sides of the forwards of the tunnels named in `before`, or of all tunnels.
fn removable(kind: Kind, before: &[&str], running: &[State]) -> Vec<Candidate> {
    let is_named = |state: &&State| before.contains(&state.instance.name.as_str());
    let is_one_named = running.iter().any(|state| is_named(&state));
    let meant = running.iter().filter(|state| !is_one_named || is_named(state));
    let present = meant.flat_map(|state| state.others().map(move |forward| (state, &forward.spec)));
    // A port alone can be a proxy's or a forward's.
    let present = present
        .filter(|(_, spec)| spec.kind() == kind || (kind == Kind::Local && spec.kind() == Kind::Socks));
    let candidates = present.map(|(state, spec)| {
        let target = spec.target().map_or("a SOCKS proxy".to_owned(), |target| format!("to {target}"));
        let description =
            if running.len() > 1 { format!("{target}, of {}", state.instance.name) } else { target };
        Candidate::new(spec.listen().to_string(), description)
    });
    candidates.filter(|candidate| !before.contains(&candidate.value.as_str())).collect()
}

/// Completes a typed forward: `5432` and `5432:` to `5432:localhost:5432`, `5432:db` to `5432:db:5432`.
fn whole(kind: Kind, typed: &str) -> Option<Candidate> {
    if kind == Kind::Socks {
        return Some(Candidate::new(SOCKS.to_string(), "default port"));
    }
    let (port, host) = typed.split_once(':').unwrap_or((typed, ""));
    let host = host.strip_suffix(':').unwrap_or(host);
    let host = if host.is_empty() { "localhost" } else { host };
    let text = format!("{port}:{host}:{port}");
    // With a port or a path, the target is complete.
    let is_guess = port.parse::<u16>().is_ok() && !host.contains([':', '/']) && kind.parse(&text).is_ok();
    is_guess.then(|| Candidate::new(text, if kind == Kind::Local { "same port" } else { "same local port" }))
}

/// Returns a forward as it is typed.
fn text(spec: &ForwardSpec) -> String {
    match spec.target() {
        Some(target) => format!("{}:{target}", spec.listen()),
        None => spec.listen().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_made_whole() {
        let table = [
            ("5432", Some("5432:localhost:5432")),
            ("5432:", Some("5432:localhost:5432")),
            ("5432:db.internal", Some("5432:db.internal:5432")),
            ("5432:db:", Some("5432:db:5432")),
            ("5432:db:1", None),
            ("5432:/run", None),
            ("5432:[::1", None),
            ("", None),
            ("/run/db.sock", None),
            ("0", None),
            ("65536", None),
            ("x", None),
        ];
        for (typed, expected) in table {
            for kind in [Kind::Local, Kind::Remote] {
                let made = whole(kind, typed).map(|candidate| candidate.value);
                assert_eq!(made.as_deref(), expected, "{typed}");
            }
        }
        assert_eq!(whole(Kind::Socks, "").unwrap().value, "1080");
    }
}
