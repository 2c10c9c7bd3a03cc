//! Root on the instance: the account itself, sudo without a password, or sudo with one that the user types.

use std::io;

use zeroize::Zeroizing;

use super::remote::{Answer, Remote, Rights, quoted};
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::system::hidden_line::HiddenLine;
use crate::system::signals::Watch;
use crate::terminal::{is_interactive, print_error, printable};

const PASSWORD: &str = include_str!("password.sh");

/// How often a password may be typed, as with sudo itself.
const TRIES: u32 = 3;

/// Returns root's rights on `instance`, which printed `facts`; asks for a password if sudo does.
pub(super) fn of_root(instance: &Instance, facts: &Answer) -> Result<Rights> {
    let name = printable(&instance.name);
    match (facts.get("uid"), facts.get("sudo")) {
        ("0", _) => Ok(Rights::Account),
        (_, "yes") => Ok(Rights::Sudo),
        (_, "password") if is_interactive() => ask(instance, facts.get("user")).map(Rights::Password),
        (_, "password") => Err(Error::failed(format!("sudo on {name} asks for a password"))
            .with_hint("run the command in a terminal, where you can type it")
            .with_hint(log_in_as_root(instance))),
        _ => {
            Err(Error::failed(format!("this needs root or sudo on {name}"))
                .with_hint(log_in_as_root(instance)))
        }
    }
}

fn log_in_as_root(instance: &Instance) -> String {
    format!("log in as root: soong configure set instances.{}.user root", quoted(&instance.name))
}

/// Asks for the password of `user` until sudo accepts it.
fn ask(instance: &Instance, user: &str) -> Result<Zeroizing<String>> {
    let name = printable(&instance.name);
    let prompt = format!("[sudo] password for {} on {name}: ", printable(user));
    let account = Remote::new(instance);
    for _ in 0..TRIES {
        let password = read(&prompt)?;
        let line = Zeroizing::new(format!("{}\n", *password));
        let answer = account.run(PASSWORD, &[], line.as_bytes())?;
        if answer.is("sudo") {
            return Ok(password);
        }
        let said = answer.get("said");
        if !said.contains("incorrect password") && !said.contains("no password") {
            return Err(Error::failed(format!("sudo on {name} refuses: {}", printable(said)))
                .with_hint(log_in_as_root(instance)));
        }
        print_error("Wrong password.\n");
    }
    Err(Error::failed(format!("sudo on {name} rejects the password")))
}

fn read(prompt: &str) -> Result<Zeroizing<String>> {
    let watch = Watch::new()?;
    let line = HiddenLine { watch: &watch, withdrawn: None, shown: false };
    line.read(prompt).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted if watch.interrupted() => Error::interrupted(),
        io::ErrorKind::UnexpectedEof => Error::failed("no password was typed"),
        _ => Error::cannot("read the password", error),
    })
}
