//! `soong tunnel url` and `env`: addresses of a running tunnel's services, for programs.

use super::arguments::{EnvArguments, Shell, UrlArguments};
use super::choice;
use crate::command_line;
use crate::error::{Error, Result};
use crate::instances::inventory::one_name;
use crate::runtime::forward::ServicePort;
use crate::runtime::registry;
use crate::runtime::state::State;
use crate::runtime::urls::{address, variables};
use crate::suggest;
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Prints the URL of one service.
pub fn url(arguments: &UrlArguments, paths: &Paths) -> Result<()> {
    let wanted = one_name(arguments.name.as_deref(), arguments.instance_id.as_deref())?;
    let state = running(wanted, paths)?;
    show(&format!("{}\n", address(service(&state, &arguments.service)?)))
}

/// Returns the service `wanted`.
pub fn service<'a>(state: &'a State, wanted: &str) -> Result<ServicePort<'a>> {
    state.service(wanted).ok_or_else(|| {
        let names = || state.services().map(|service| service.name);
        let hint = suggest::did_you_mean(wanted, names())
            .unwrap_or_else(|| format!("choose one: {}", names().collect::<Vec<_>>().join(", ")));
        Error::failed(format!("no service '{}' in this tunnel", printable(wanted))).with_hint(hint)
    })
}

/// Prints shell commands that set one variable per service.
pub fn env(arguments: &EnvArguments, paths: &Paths) -> Result<()> {
    let state = running(arguments.which.wanted()?, paths)?;
    let lines = variables(&state.forwards);
    show(&lines.iter().map(|(name, value)| assignment(name, value, arguments.shell)).collect::<String>())
}

/// Returns the state of the chosen running tunnel.
fn running(wanted: Option<&str>, paths: &Paths) -> Result<State> {
    let mut survey = registry::survey(paths)?;
    let running = survey.take(wanted)?;
    running.and_then(|running| running.state).ok_or_else(|| choice::absent(wanted, &survey, paths))
}

/// Names and values consist of characters without a meaning in these shells.
fn assignment(name: &str, value: &str, shell: Shell) -> String {
    match shell {
        Shell::Bash | Shell::Zsh | Shell::Sh => format!("export {name}={value}\n"),
        Shell::Fish => format!("set -gx {name} {value}\n"),
    }
}

fn show(text: &str) -> Result<()> {
    command_line::print(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_in_the_syntax_of_each_shell() {
        assert_eq!(assignment("A", "b", Shell::Zsh), "export A=b\n");
        assert_eq!(assignment("A", "b", Shell::Fish), "set -gx A b\n");
    }
}
