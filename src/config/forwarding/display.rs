//! Display of forwards: in full, and short for lists.

use super::spec::ForwardSpec;
use crate::terminal::printable;

/// Returns both ends of a forward.
pub fn path_of(spec: &ForwardSpec) -> String {
    let listen = spec.listen().to_string();
    let is_port = !listen.starts_with('/');
    let place = if is_port { format!(":{listen}") } else { listen };
    match spec {
        ForwardSpec::Local(_, target) if is_port => format!("localhost{place} -> {target}"),
        ForwardSpec::Local(_, target) => format!("{place} -> {target}"),
        ForwardSpec::Remote(_, target) => format!("instance{place} -> {target} on this machine"),
        ForwardSpec::Socks(_) => format!("localhost{place} -> anywhere, as a SOCKS proxy"),
    }
}

/// Returns a forward for a list: `5432->db:5432`, `remote:9000->localhost:3000`, `socks:1080`.
pub fn short(spec: &ForwardSpec) -> String {
    let text = match spec {
        ForwardSpec::Local(listen, target) => format!("{listen}->{target}"),
        ForwardSpec::Remote(listen, target) => format!("remote:{listen}->{target}"),
        ForwardSpec::Socks(port) => format!("socks:{port}"),
    };
    printable(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_is_shown_as_what_it_does() {
        let table = [
            ("local 1:[::1]:2", "localhost:1 -> [::1]:2", "1->[::1]:2"),
            ("local /a:/b", "/a -> /b", "/a->/b"),
            ("remote 1:h:2", "instance:1 -> h:2 on this machine", "remote:1->h:2"),
            ("remote /a:h:2", "instance/a -> h:2 on this machine", "remote:/a->h:2"),
            ("socks 1", "localhost:1 -> anywhere, as a SOCKS proxy", "socks:1"),
        ];
        for (text, long, brief) in table {
            assert_eq!(path_of(&text.parse().unwrap()), long);
            assert_eq!(short(&text.parse().unwrap()), brief);
        }
    }
}
