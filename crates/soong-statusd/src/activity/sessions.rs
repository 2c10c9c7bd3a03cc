//! Interactive logins, from utmp and systemd-logind. A login counts if it has a terminal and its
//! process lives; the connection of a tunnel has none.

use std::fs;
use std::io;
use std::mem::{offset_of, size_of};
use std::path::Path;

use libc::utmpx;

use super::Load;

/// A login with a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub user: String,
    /// The terminal, such as `pts/0`.
    pub terminal: String,
}

const UTMP: &str = "/run/utmp";
const LOGIND: &str = "/run/systemd/sessions";

/// Lists logins: those of `utmp`, or without one those of the system.
pub fn logins(utmp: Option<&Path>) -> Result<Vec<Login>, String> {
    if let Some(file) = utmp {
        return read_utmp(file).map_err(|error| format!("cannot read {}: {error}", file.display()));
    }
    let (records, sessions) = (read_utmp(Path::new(UTMP)), read_logind(Path::new(LOGIND)));
    match (records, sessions) {
        (Err(error), Err(_)) => Err(format!("cannot read {UTMP}: {error}")),
        (records, sessions) => {
            let mut logins = records.unwrap_or_default();
            for login in sessions.unwrap_or_default() {
                if !logins.iter().any(|known| known.terminal == login.terminal) {
                    logins.push(login);
                }
            }
            Ok(logins)
        }
    }
}

/// The load that `logins` mean.
pub fn load(logins: &Result<Vec<Login>, String>) -> Load {
    match logins {
        Err(reason) => Load::Unknown(reason.clone()),
        Ok(logins) => match logins.as_slice() {
            [] => Load::Quiet,
            [login] => Load::Busy(format!("{} is logged in on {}", login.user, login.terminal)),
            [login, others @ ..] => Load::Busy(format!(
                "{} is logged in on {}, and {} more",
                login.user,
                login.terminal,
                others.len()
            )),
        },
    }
}

fn read_utmp(file: &Path) -> io::Result<Vec<Login>> {
    let bytes = fs::read(file)?;
    Ok(bytes.chunks_exact(size_of::<utmpx>()).filter_map(|record| login(record, is_alive)).collect())
}

/// The login of one record of utmp; `None` for boots, ended logins and the like.
fn login(record: &[u8], is_alive: impl Fn(u32) -> bool) -> Option<Login> {
    let kind =
        record.get(offset_of!(utmpx, ut_type)..)?.first_chunk().map(|bytes| i16::from_ne_bytes(*bytes))?;
    let pid =
        record.get(offset_of!(utmpx, ut_pid)..)?.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))?;
    let text = |offset: usize, length: usize| {
        let field = record.get(offset..offset + length)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
        std::str::from_utf8(&field[..end]).ok().map(str::to_owned)
    };
    let user = text(offset_of!(utmpx, ut_user), 32)?;
    let terminal = text(offset_of!(utmpx, ut_line), 32)?;
    let is_login = kind == libc::USER_PROCESS && u32::try_from(pid).is_ok_and(is_alive);
    (is_login && is_terminal(&terminal)).then(|| Login { user: shown(&user), terminal })
}

/// The sessions of systemd-logind: files of `KEY=value` lines (sd-login(3)).
fn read_logind(directory: &Path) -> io::Result<Vec<Login>> {
    let mut logins = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // Beside each session lies a FIFO, NAME.ref.
        if path.extension().is_none()
            && let Ok(text) = fs::read_to_string(&path)
        {
            logins.extend(session(&text, is_alive));
        }
    }
    Ok(logins)
}

fn session(text: &str, is_alive: impl Fn(u32) -> bool) -> Option<Login> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let leader: u32 = value("LEADER")?.parse().ok()?;
    let terminal = value("TTY").filter(|terminal| is_terminal(terminal))?;
    let is_user = value("CLASS").is_some_and(|class| class == "user" || class.starts_with("user-"));
    let is_open = value("STATE") != Some("closing") && is_alive(leader);
    let user = value("USER").unwrap_or("someone");
    (is_user && is_open).then(|| Login { user: shown(user), terminal: terminal.to_owned() })
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// True for names such as `pts/0` and `tty1`.
pub fn is_terminal(name: &str) -> bool {
    let number = name.strip_prefix("pts/").or_else(|| name.strip_prefix("tty"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An account name without control characters.
fn shown(user: &str) -> String {
    user.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: i16, pid: i32, line: &str, user: &str) -> Vec<u8> {
        let mut record = vec![0; size_of::<utmpx>()];
        let mut put =
            |offset: usize, bytes: &[u8]| record[offset..offset + bytes.len()].copy_from_slice(bytes);
        put(offset_of!(utmpx, ut_type), &kind.to_ne_bytes());
        put(offset_of!(utmpx, ut_pid), &pid.to_ne_bytes());
        put(offset_of!(utmpx, ut_line), line.as_bytes());
        put(offset_of!(utmpx, ut_user), user.as_bytes());
        record
    }

    #[test]
    fn logins_with_a_terminal_and_a_living_process_count() {
        let read = |record: &[u8]| login(record, |pid| pid == 7).map(|login| login.terminal);
        assert_eq!(read(&record(libc::USER_PROCESS, 7, "pts/0", "ubuntu")).as_deref(), Some("pts/0"));
        for (name, record) in [
            ("ended", record(libc::DEAD_PROCESS, 7, "pts/0", "ubuntu")),
            ("crashed", record(libc::USER_PROCESS, 8, "pts/0", "ubuntu")),
            ("no terminal", record(libc::USER_PROCESS, 7, "ssh", "ubuntu")),
            ("boot", record(libc::BOOT_TIME, 0, "~", "reboot")),
            ("a path", record(libc::USER_PROCESS, 7, "pts/../../x", "ubuntu")),
        ] {
            assert_eq!(read(&record), None, "{name}");
        }
        assert_eq!(login(&[0; 20], |_| true), None, "a torn record");
    }

    #[test]
    fn sessions_of_logind_are_read_alike() {
        let text = |tty: &str, class: &str, state: &str| {
            format!(
                "# do not parse\nUID=1000\nUSER=ubuntu\nSTATE={state}\nREMOTE=1\nTYPE=tty\nCLASS={class}\n{tty}LEADER=7\n"
            )
        };
        let read = |text: &str| session(text, |pid| pid == 7).map(|login| login.terminal);
        assert_eq!(read(&text("TTY=pts/3\n", "user", "active")).as_deref(), Some("pts/3"));
        assert_eq!(read(&text("", "user", "active")), None, "a tunnel");
        assert_eq!(read(&text("TTY=pts/3\n", "greeter", "active")), None);
        assert_eq!(read(&text("TTY=pts/3\n", "user", "closing")), None);
        assert_eq!(read(&text("TTY=pts/3\n", "user", "active").replace('7', "8")), None);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        assert!(matches!(load(&logins(Some(Path::new("/nonexistent/utmp")))), Load::Unknown(_)));
        let some = |count: usize| vec![Login { user: "a\u{1b}b".into(), terminal: "pts/0".into() }; count];
        assert_eq!(load(&Ok(some(0))), Load::Quiet);
        assert!(matches!(load(&Ok(some(3))), Load::Busy(text) if text.ends_with("pts/0, and 2 more")));
        assert_eq!(shown("a\u{1b}b"), "ab");
    }
}
