//! Menu of machines, in a terminal.

use console::truncate_str;

use super::machine::Machine;
use crate::error::Result;
use crate::system::menu;
use crate::system::signals::Watch;
use crate::terminal::printable;

/// Asks on the terminal for one of `machines`; returns its index.
pub fn pick(machines: &[&Machine], watch: &Watch) -> Result<usize> {
    menu::choose("Which instance?", "instance", &rows(machines), watch)
}

/// Returns one line per machine.
fn rows(machines: &[&Machine]) -> Vec<String> {
    let cells: Vec<[String; 5]> = machines.iter().map(|machine| cells(machine)).collect();
    menu::columns(&cells)
}

fn cells(machine: &Machine) -> [String; 5] {
    const ID_SHOWN: usize = 8;
    const NAME_SHOWN: usize = 24;
    let shown = |text: Option<&String>| text.map_or_else(String::new, |text| printable(text).into_owned());
    let id: String = machine.id.chars().take(ID_SHOWN).collect();
    let status = if machine.provider.is_none() { "configured" } else { machine.status.word() };
    [
        truncate_str(&printable(&machine.name), NAME_SHOWN, "…").into_owned(),
        if machine.id == machine.name { String::new() } else { printable(&id).into_owned() },
        status.to_owned(),
        shown(machine.host.as_ref()),
        shown(machine.kind.as_ref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::instance::Instance;

    #[test]
    fn rows_stand_in_columns_and_show_nothing_that_acts_on_a_terminal() {
        let machine = |name: &str, id: &str| {
            Machine::configured(&Instance {
                name: name.into(),
                id: id.into(),
                host: "192.0.2.1".into(),
                user: "u".into(),
                user_is_default: false,
                port: None,
                key: None,
            })
        };
        let (one, two) = (machine("dev", "0123456789ab"), machine("\u{1b}[2J", "b"));
        assert_eq!(
            rows(&[&one, &two]),
            ["dev        01234567  configured  192.0.2.1", "\\u{1b}[2J  b         configured  192.0.2.1"]
        );
    }
}
