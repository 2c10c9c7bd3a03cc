//! `soong tunnel forward`: adds forwards to a running tunnel, or removes them.

use super::arguments::ForwardArguments;
use super::choice;
use crate::config::forwarding::display::{path_of, short};
use crate::config::forwarding::{ForwardSpec, Kind, Listen};
use crate::error::{Error, Result};
use crate::instances::inventory::one_name;
use crate::runtime::control::{self, Supervisor};
use crate::runtime::registry;
use crate::runtime::state::State;
use crate::system::paths::Paths;
use crate::terminal::{print, printable};

/// Carries out the command line, forward by forward, until one fails.
pub fn forward(arguments: &ForwardArguments, paths: &Paths) -> Result<()> {
    let (name, words) = split(&arguments.words);
    let name = one_name(name, arguments.instance_id.as_deref())?;
    let mut survey = registry::survey(paths)?;
    let running = survey.take(name)?.ok_or_else(|| choice::absent(name, &survey, paths))?;
    let state = running.state.ok_or_else(|| Error::failed("the tunnel is still starting; try again"))?;
    let wanted = wanted(arguments, words, &state, paths)?;
    let what = if arguments.remove { control::REMOVE } else { control::ADD };
    for spec in wanted {
        if !arguments.remove
            && let Some(service) = state.services().find(|service| Some(service.local) == spec.local_port())
        {
            return Err(Error::failed(format!("port {} is used by {}", service.local, service.name)));
        }
        if let (false, Some(other)) = (arguments.remove, taken(&spec, &state)) {
            let (name, text) = (shell_words::quote(&state.instance.name), other.to_string());
            return Err(Error::failed(format!("{} is used by: {}", spec.listen(), printable(&text)))
                .with_hint(format!(
                    "remove that first: soong tunnel forward {} {}",
                    printable(&name),
                    printable(&removal(other))
                )));
        }
        let supervisor = Supervisor::connect(&running.directory)
            .map_err(|source| Error::cannot("ask the supervisor", source))?;
        supervisor.change(what, &spec)?;
        if !arguments.quiet {
            let verb = if arguments.remove { "Removed" } else { "Forwarding" };
            let line = format!("{verb} {}", path_of(&spec));
            print(&format!("{}\n", printable(&line))).map_err(Error::output)?;
        }
    }
    Ok(())
}

/// Returns the tunnel's other forward with the listening end of `spec`.
fn taken<'a>(spec: &ForwardSpec, state: &'a State) -> Option<&'a ForwardSpec> {
    let mut all = state.others().map(|forward| &forward.spec);
    all.find(|other| *other != spec && other.collides_with(spec))
}

/// Returns the arguments that remove `spec`.
fn removal(spec: &ForwardSpec) -> String {
    let listen = spec.listen().to_string();
    let listen = shell_words::quote(&listen);
    match spec.kind() {
        Kind::Remote => format!("--remove --remote {listen}"),
        Kind::Local | Kind::Socks => format!("--remove {listen}"),
    }
}

/// Splits off the name of an instance, if the first word is one. A forward contains a colon, or is a path or
/// port.
fn split(words: &[String]) -> (Option<&str>, &[String]) {
    let is_forward = |word: &String| {
        word.contains(':') || word.starts_with(['/', '~']) || word.bytes().all(|byte| byte.is_ascii_digit())
    };
    match words {
        [first, rest @ ..] if !is_forward(first) => (Some(first), rest),
        words => (None, words),
    }
}

fn wanted(
    arguments: &ForwardArguments,
    words: &[String],
    state: &State,
    paths: &Paths,
) -> Result<Vec<ForwardSpec>> {
    let typed = [(Kind::Local, words), (Kind::Remote, &arguments.remote), (Kind::Socks, &arguments.socks)];
    let typed = typed.into_iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text)));
    let wanted: Result<Vec<ForwardSpec>> = typed
        .map(
            |(kind, text)| {
                if arguments.remove { present(kind, text, state, paths) } else { new(kind, text, paths) }
            },
        )
        .collect();
    match wanted? {
        none if none.is_empty() => Err(Error::usage("no forward given")
            .with_hint("for example: soong tunnel forward 5432:db.internal:5432")),
        wanted => Ok(wanted),
    }
}

fn new(kind: Kind, text: &str, paths: &Paths) -> Result<ForwardSpec> {
    let at_fault = |fault: String| Error::usage(format!("'{}': {fault}", printable(text)));
    let spec = kind.parse(text).map_err(at_fault)?.expanded(paths);
    match spec.fault() {
        Some(fault) => Err(at_fault(fault)),
        None => Ok(spec),
    }
}

/// Returns the tunnel's forward that `text` means; its listening end is enough.
fn present(kind: Kind, text: &str, state: &State, paths: &Paths) -> Result<ForwardSpec> {
    let whole = kind.parse(text).ok().map(|spec| spec.expanded(paths));
    let listen = kind.listen(text).ok().map(|listen| match listen {
        Listen::Socket(path) if kind == Kind::Local => Listen::Socket(paths.expand(&path.to_string_lossy())),
        other => other,
    });
    let all = || state.others().map(|forward| &forward.spec);
    // A port alone can be a proxy's or a forward's.
    let is_kind =
        |spec: &ForwardSpec| spec.kind() == kind || (kind == Kind::Local && spec.kind() == Kind::Socks);
    let found =
        all().find(|spec| Some(*spec) == whole.as_ref() || (is_kind(spec) && Some(spec.listen()) == listen));
    found.cloned().ok_or_else(|| {
        let error = Error::failed(format!("no such forward: '{}'", printable(text)));
        let has: Vec<String> = all().map(short).collect();
        let service = state.services().find(|service| text == service.local.to_string());
        match service {
            Some(service) => error.with_hint(format!(
                "it belongs to a service; to disable that, set {} = false in [services] of config.toml",
                service.name
            )),
            None if has.is_empty() => error,
            None => error.with_hint(format!("the tunnel's forwards: {}", has.join(" "))),
        }
    })
}
