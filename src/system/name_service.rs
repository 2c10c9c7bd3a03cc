//! Accounts, groups and host names, as the services in `/etc/nsswitch.conf` know them.
//!
//! The C library of a static program reads `/etc/passwd`, `/etc/group` and `/etc/hosts`, and asks DNS servers. It does
//! not know the services of the system's library, such as LDAP, sssd or mDNS. getent(1) asks them.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{self, Gid, User, geteuid};

/// Places of getent: most systems, NixOS.
const GETENT: [&str; 2] = ["/usr/bin/getent", "/run/current-system/sw/bin/getent"];

/// Account of a user.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Main group.
    pub group: Gid,
    /// Home directory, also if `HOME` is another one.
    pub home: PathBuf,
}

/// Group of users.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// Name of the group.
    pub name: String,
    /// Login names, without users whose main group it is.
    pub members: Vec<String>,
}

/// Returns the account of the effective user.
pub fn own_account() -> Option<Account> {
    let id = geteuid();
    match User::from_uid(id).ok().flatten() {
        Some(user) => Some(Account { name: user.name, group: user.gid, home: user.dir }),
        None => account(&getent("passwd", &id.to_string())?),
    }
}

/// Returns the home directory of [`own_account`], in which ssh looks for its files.
pub fn own_home() -> Option<PathBuf> {
    own_account().map(|account| account.home)
}

/// Returns the group `id`.
pub fn group(id: Gid) -> Option<Group> {
    match unistd::Group::from_gid(id).ok().flatten() {
        Some(group) => Some(Group { name: group.name, members: group.mem }),
        None => group_of(&getent("group", &id.to_string())?),
    }
}

/// Returns the addresses of `host`, with `port`.
pub fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    // getent first: our library may wait for a DNS server where another service has the answer.
    if host.parse::<IpAddr>().is_err() {
        let found = getent("ahosts", host).as_deref().map(stream_addresses).unwrap_or_default();
        if !found.is_empty() {
            return Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect());
        }
    }
    Ok((host, port).to_socket_addrs()?.collect())
}

/// Returns the output of getent for `key` in `database`; `None` if it finds nothing, and where the C library has asked the
/// same services itself.
fn getent(database: &str, key: &str) -> Option<String> {
    if !cfg!(target_env = "musl") {
        return None;
    }
    let program = GETENT.iter().find(|file| Path::new(file).exists())?;
    let mut command = Command::new(program);
    command.args(["--", database, key]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Parses a line of passwd(5).
fn account(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.trim_end().split(':').collect();
    let [name, _, _, group, _, home, ..] = fields[..] else { return None };
    Some(Account { name: name.to_owned(), group: Gid::from_raw(group.parse().ok()?), home: home.into() })
}

/// Parses a line of group(5).
fn group_of(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.trim_end().split(':').collect();
    let [name, _, _, members] = fields[..] else { return None };
    let members = members.split(',').filter(|member| !member.is_empty());
    Some(Group { name: name.to_owned(), members: members.map(str::to_owned).collect() })
}

/// Parses the output of `getent ahosts`: an address in each line, once for each type of socket.
fn stream_addresses(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let streams = lines.filter(|words| words.get(1) == Some(&"STREAM"));
    streams.filter_map(|words| words[0].parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_getent_are_read() {
        let found = account("kim:x:70001:70002:Kim,,,:/home/kim:/bin/bash\n").unwrap();
        assert_eq!((found.name.as_str(), found.group.as_raw()), ("kim", 70002));
        assert_eq!(found.home, PathBuf::from("/home/kim"));
        assert_eq!(account("kim:x:70001"), None);
        let found = group_of("team:*:70002:kim,lee\n").unwrap();
        assert_eq!((found.name.as_str(), &found.members[..]), ("team", &["kim".into(), "lee".into()][..]));
        assert_eq!(group_of("team:*:70002:\n").unwrap().members, Vec::<String>::new());
        let text = "::1             STREAM dev.local\n::1             DGRAM  \n127.0.0.2       STREAM \n";
        assert_eq!(stream_addresses(text), ["::1".parse::<IpAddr>().unwrap(), "127.0.0.2".parse().unwrap()]);
    }
}
