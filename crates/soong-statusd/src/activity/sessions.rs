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
            let terminal = || path.file_name()?.to_str().and_then(ssh_terminal);
            logins.extend(session(&text, is_alive, terminal));
        }
    }
    Ok(logins)
}

/// The login of a session file. `ssh_terminal` finds the terminal of a session that has none in its file.
fn session(
    text: &str,
    is_alive: impl Fn(u32) -> bool,
    ssh_terminal: impl FnOnce() -> Option<String>,
) -> Option<Login> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let leader: u32 = value("LEADER")?.parse().ok()?;
    let is_user = value("CLASS").is_some_and(|class| class == "user" || class.starts_with("user-"));
    let is_open = value("STATE") != Some("closing") && is_alive(leader);
    let user = value("USER").unwrap_or("someone");
    if !is_user || !is_open {
        return None;
    }
    let terminal = match value("TTY").filter(|terminal| is_terminal(terminal)) {
        Some(terminal) => terminal.to_owned(),
        None => ssh_terminal()?,
    };
    Some(Login { user: shown(user), terminal })
}

/// Returns the terminal of a login over ssh. logind learns it from utmp only, which Debian 13 no longer has.
///
/// It is the terminal of a process of the session whose parent is sshd. Those of tmux and screen, which outlive their
/// login, have another parent.
fn ssh_terminal(session: &str) -> Option<String> {
    let scope = format!("/session-{session}.scope");
    let read = |process: &Path, file: &str| fs::read_to_string(process.join(file)).ok();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let process = entry.path();
        let stat = read(&process, "stat")?;
        let (_, parent, terminal) = parse_stat(&stat)?;
        let terminal = terminal?;
        let parent = read(&Path::new("/proc").join(parent), "stat")?;
        let is_login =
            parse_stat(&parent)?.0.starts_with("sshd") && read(&process, "cgroup")?.contains(&scope);
        is_login.then_some(terminal)
    })
}

/// Returns the command, the parent's PID and the pseudo-terminal of a process from its `/proc/PID/stat` (proc(5)).
fn parse_stat(stat: &str) -> Option<(&str, &str, Option<String>)> {
    /// Major numbers of pseudo-terminals (the kernel's `devices.txt`).
    const PTS: std::ops::RangeInclusive<u32> = 136..=143;
    let (head, fields) = stat.rsplit_once(')')?;
    let (_, command) = head.split_once('(')?;
    let mut fields = fields.split_ascii_whitespace();
    let parent = fields.nth(1)?;
    let device: u32 = fields.nth(2)?.parse().ok()?;
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
    let terminal = PTS.contains(&major).then(|| format!("pts/{}", (major - PTS.start()) * 256 + minor));
    Some((command, parent, terminal))
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
        let read = |text: &str| session(text, |pid| pid == 7, || None).map(|login| login.terminal);
        assert_eq!(read(&text("TTY=pts/3\n", "user", "active")).as_deref(), Some("pts/3"));
        assert_eq!(read(&text("", "user", "active")), None, "a tunnel");
        assert_eq!(read(&text("TTY=pts/3\n", "greeter", "active")), None);
        assert_eq!(read(&text("TTY=pts/3\n", "user", "closing")), None);
        assert_eq!(read(&text("TTY=pts/3\n", "user", "active").replace('7', "8")), None);
    }

    #[test]
    fn a_session_of_ssh_without_utmp_has_the_terminal_of_its_shell() {
        let text = "USER=ubuntu\nSTATE=active\nCLASS=user\nLEADER=7\n";
        let terminal =
            |text: &str| session(text, |_| true, || Some("pts/5".to_owned())).map(|login| login.terminal);
        assert_eq!(terminal(text).as_deref(), Some("pts/5"));
        assert_eq!(terminal(&format!("{text}TTY=ssh\n")).as_deref(), Some("pts/5"));
        assert_eq!(terminal(&format!("{text}TTY=tty1\n")).as_deref(), Some("tty1"));
        assert_eq!(terminal(&text.replace("active", "closing")), None);
        let stat = |device: u32| format!("31 (a) b) S 30 31 31 {device} 31 4194560 100");
        assert_eq!(parse_stat(&stat(0x8803)), Some(("a) b", "30", Some("pts/3".to_owned()))));
        assert_eq!(parse_stat(&stat(0x10_882c)), Some(("a) b", "30", Some("pts/300".to_owned()))));
        assert_eq!(parse_stat(&stat(0x0401)), Some(("a) b", "30", None)), "a console");
        assert_eq!(parse_stat(&stat(0)), Some(("a) b", "30", None)));
        assert_eq!(parse_stat("31 (a"), None);
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
