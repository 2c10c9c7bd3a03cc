//! `soong tunnel forward`: forwarding more over a tunnel that runs, or less.

use super::arguments::ForwardArguments;
use crate::config::forwarding::display::{path_of, short};
use crate::config::forwarding::{Forwarding, Kind, Listen};
use crate::error::{Error, Result};
use crate::runtime::control::{self, Supervisor};
use crate::runtime::registry;
use crate::runtime::state::State;
use crate::system::paths::Paths;
use crate::terminal::{print, printable};

/// Does what the command line says, forward by forward, until one fails.
pub fn forward(arguments: &ForwardArguments, paths: &Paths) -> Result<()> {
    let (name, words) = split(&arguments.words);
    let running = registry::survey(paths)?.take(name)?.ok_or_else(|| not_running(name))?;
    let state =
        running.state.ok_or_else(|| Error::failed("the tunnel is only just starting: try once more"))?;
    let wanted = wanted(arguments, words, &state, paths)?;
    let what = if arguments.remove { control::REMOVE } else { control::ADD };
    for forwarding in wanted {
        if !arguments.remove
            && let Some(service) =
                state.forwards.iter().find(|service| Some(service.local) == forwarding.local_port())
        {
            return Err(Error::failed(format!("port {} is that of {}", service.local, service.service)));
        }
        let supervisor = Supervisor::connect(&running.directory).map_err(|source| Error::Io {
            action: "cannot ask the supervisor".into(),
            source,
            hint: None,
        })?;
        supervisor.change(what, &forwarding)?;
        if !arguments.quiet {
            let verb = if arguments.remove { "Removed" } else { "Forwarding" };
            let line = format!("{verb} {}", path_of(&forwarding));
            print(&format!("{}\n", printable(&line))).map_err(Error::output)?;
        }
    }
    Ok(())
}

/// The name of an instance, if the first word is one, and the other words. What is forwarded holds
/// a colon, or is a path, or a port.
fn split(words: &[String]) -> (Option<&str>, &[String]) {
    let is_forward = |word: &String| {
        word.contains(':') || word.starts_with(['/', '~']) || word.bytes().all(|byte| byte.is_ascii_digit())
    };
    match words {
        [first, rest @ ..] if !is_forward(first) => (Some(first), rest),
        words => (None, words),
    }
}

fn not_running(name: Option<&str>) -> Error {
    let error = match name {
        Some(name) => Error::failed(format!("no tunnel to '{}' is running", printable(name))),
        None => Error::failed("no tunnel is running"),
    };
    error.with_hint("start it: soong tunnel start")
}

fn wanted(
    arguments: &ForwardArguments,
    words: &[String],
    state: &State,
    paths: &Paths,
) -> Result<Vec<Forwarding>> {
    let typed = [(Kind::Local, words), (Kind::Remote, &arguments.remote), (Kind::Socks, &arguments.socks)];
    let typed = typed.into_iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text)));
    let wanted: Result<Vec<Forwarding>> = typed
        .map(
            |(kind, text)| {
                if arguments.remove { present(kind, text, state, paths) } else { new(kind, text, paths) }
            },
        )
        .collect();
    match wanted? {
        none if none.is_empty() => Err(Error::usage("nothing is named to be forwarded")
            .with_hint("for example: soong tunnel forward 5432:db.internal:5432")),
        wanted => Ok(wanted),
    }
}

fn new(kind: Kind, text: &str, paths: &Paths) -> Result<Forwarding> {
    let at_fault = |fault: String| Error::usage(format!("'{}': {fault}", printable(text)));
    let forwarding = kind.parse(text).map_err(at_fault)?.expanded(paths);
    match forwarding.fault() {
        Some(fault) => Err(at_fault(fault)),
        None => Ok(forwarding),
    }
}

/// The forward that the tunnel has and `text` means, which may be only what it listens on.
fn present(kind: Kind, text: &str, state: &State, paths: &Paths) -> Result<Forwarding> {
    let whole = kind.parse(text).ok().map(|forwarding| forwarding.expanded(paths));
    let listen = kind.listen(text).ok().map(|listen| match listen {
        Listen::Socket(path) if kind == Kind::Local => Listen::Socket(paths.expand(&path.to_string_lossy())),
        other => other,
    });
    let all = || state.extra.iter().map(|extra| &extra.forwarding);
    // A port without more may be a proxy's as well as a forward's.
    let is_kind = |forwarding: &Forwarding| {
        forwarding.kind() == kind || (kind == Kind::Local && forwarding.kind() == Kind::Socks)
    };
    let found = all().find(|forwarding| {
        Some(*forwarding) == whole.as_ref() || (is_kind(forwarding) && Some(forwarding.listen()) == listen)
    });
    found.cloned().ok_or_else(|| {
        let error = Error::failed(format!("the tunnel has no such forward: '{}'", printable(text)));
        let has: Vec<String> = all().map(short).collect();
        let service = state.forwards.iter().find(|service| text == service.local.to_string());
        match service {
            Some(service) => error.with_hint(format!(
                "it is that of a service; leave it out with {} = false below [services] in config.toml",
                service.service
            )),
            None if has.is_empty() => error,
            None => error.with_hint(format!("it has: {}", has.join(" "))),
        }
    })
}
