//! The forwards beyond the services that a start asks for: from the command line, the config and,
//! for a restart, the tunnel before. And how they are shown.

use crate::commands::tunnel::arguments::StartArguments;
use crate::config::Config;
use crate::config::forwarding::{FORWARDINGS_MAX, Forwarding};
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::runtime::extra::{Extra, Origin};
use crate::runtime::state::{Forward, State};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// What a tunnel to `instance` is to forward. Of the tunnel `before`, it keeps what commands asked
/// for: what the config asked for may have been taken out of it since.
pub fn resolve(
    arguments: &StartArguments,
    before: Option<&State>,
    instance: &Instance,
    config: &Config,
    paths: &Paths,
) -> Result<Vec<Extra>> {
    let typed = arguments.forward.iter().chain(&arguments.remote).chain(&arguments.socks).cloned();
    let kept = before.map(|state| state.extra.as_slice()).unwrap_or_default().iter();
    let kept = kept.filter(|extra| extra.origin == Origin::Command).map(|extra| extra.forwarding.clone());
    let asked = typed.map(|forwarding| (forwarding, Origin::Command));
    let written = config.forwardings(instance).into_iter().map(|forwarding| (forwarding, Origin::Config));
    let kept = kept.map(|forwarding| (forwarding, Origin::Command));
    let mut extras: Vec<Extra> = Vec::new();
    for (forwarding, origin) in asked.chain(written).chain(kept) {
        let forwarding = forwarding.expanded(paths);
        if let Some(fault) = forwarding.fault() {
            return Err(Error::usage(format!("{}: {fault}", printable(&forwarding.to_string()))));
        }
        // Asking twice for the same is asking for it.
        if !extras.iter().any(|extra| extra.forwarding == forwarding) {
            extras.push(Extra::new(forwarding, origin));
        }
    }
    Ok(extras)
}

/// Makes sure that no two of `extras` and `services` listen on the same.
pub fn check(extras: &[Extra], services: &[Forward]) -> Result<()> {
    if extras.len() > FORWARDINGS_MAX {
        return Err(Error::usage(format!("a tunnel has at most {FORWARDINGS_MAX} forwards")));
    }
    for (index, extra) in extras.iter().enumerate() {
        let forwarding = &extra.forwarding;
        if let Some(service) = services.iter().find(|service| Some(service.local) == forwarding.local_port())
        {
            return Err(collision(&service.service, forwarding));
        }
        let before = extras[..index].iter().map(|other| &other.forwarding);
        if let Some(other) = before.into_iter().find(|other| other.collides_with(forwarding)) {
            return Err(collision(&other.to_string(), forwarding));
        }
    }
    Ok(())
}

fn collision(one: &str, forwarding: &Forwarding) -> Error {
    let listen = forwarding.listen().to_string();
    Error::usage(format!(
        "{} and {} both want {}",
        printable(one),
        printable(&forwarding.to_string()),
        printable(&listen)
    ))
    .with_hint("move one of them to another port")
}

/// The line that shows where a forward leads, and what is wrong with it.
pub fn arrow(extra: &Extra) -> String {
    let trouble = extra.error.as_ref().map(|error| format!(" (not now: {error})"));
    let line = format!("{}{}", path_of(&extra.forwarding), trouble.unwrap_or_default());
    format!("  {}\n", printable(&line))
}

/// From where to where a forward leads.
pub fn path_of(forwarding: &Forwarding) -> String {
    let listen = forwarding.listen().to_string();
    let is_port = !listen.starts_with('/');
    let place = if is_port { format!(":{listen}") } else { listen };
    match forwarding {
        Forwarding::Local(_, target) if is_port => format!("localhost{place} -> {target}"),
        Forwarding::Local(_, target) => format!("{place} -> {target}"),
        Forwarding::Remote(_, target) => format!("instance{place} -> {target} on this side"),
        Forwarding::Socks(_) => format!("localhost{place} -> anywhere, as a SOCKS proxy"),
    }
}

/// A forward in a list: `5432->db:5432`, `remote:9000->localhost:3000`, `socks:1080`.
pub fn short(forwarding: &Forwarding) -> String {
    let text = match forwarding {
        Forwarding::Local(listen, target) => format!("{listen}->{target}"),
        Forwarding::Remote(listen, target) => format!("remote:{listen}->{target}"),
        Forwarding::Socks(port) => format!("socks:{port}"),
    };
    printable(&text).into_owned()
}

/// The forwards as comments for a shell, below an ssh command that does not show what listens.
pub fn comments(extras: &[Extra]) -> String {
    extras.iter().map(|extra| format!("# {}\n", printable(&path_of(&extra.forwarding)))).collect()
}

#[cfg(test)]
mod tests {
    use crate::commands::tunnel::start::extra_forwards::*;

    fn extra(text: &str) -> Extra {
        Extra::new(text.parse().unwrap(), Origin::Command)
    }

    #[test]
    fn nothing_is_listened_on_twice() {
        let service = [Forward { service: "sglang".into(), local: 8000, remote: 8000 }];
        let fault = |extras: &[&str]| {
            let extras: Vec<Extra> = extras.iter().map(|text| extra(text)).collect();
            check(&extras, &service).err().map(|error| error.to_string())
        };
        assert_eq!(fault(&["local 1:h:1", "remote 1:h:1", "socks 2"]), None);
        assert_eq!(fault(&["socks 8000"]).unwrap(), "sglang and socks 8000 both want 8000");
        assert_eq!(fault(&["local 1:h:1", "socks 1"]).unwrap(), "local 1:h:1 and socks 1 both want 1");
        assert!(fault(&["local /a:h:1", "local /a:h:2"]).is_some());
    }

    #[test]
    fn a_forward_is_shown_as_what_it_does() {
        let table = [
            ("local 1:[::1]:2", "localhost:1 -> [::1]:2", "1->[::1]:2"),
            ("local /a:/b", "/a -> /b", "/a->/b"),
            ("remote 1:h:2", "instance:1 -> h:2 on this side", "remote:1->h:2"),
            ("remote /a:h:2", "instance/a -> h:2 on this side", "remote:/a->h:2"),
            ("socks 1", "localhost:1 -> anywhere, as a SOCKS proxy", "socks:1"),
        ];
        for (text, long, brief) in table {
            assert_eq!(path_of(&text.parse().unwrap()), long);
            assert_eq!(short(&text.parse().unwrap()), brief);
        }
    }
}
