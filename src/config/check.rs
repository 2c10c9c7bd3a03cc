//! Checks a document against the schema. Errors give the line, the expected value and the most similar name.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::config::address::Address;
use crate::config::address::{is_host, is_user};
use crate::config::on_demand::OnDemand;
use crate::config::schema::{HOURS_MAX, KEYS, Key, Kind, MONEY_MAX, REQUIRED};
use crate::error::{Error, Result};
use crate::suggest;
use crate::terminal::printable;

/// Checks that `text` is TOML and that every key in it exists and has a value of its kind.
pub(super) fn check(text: &str, file: &Path) -> Result<()> {
    let document = DeTable::parse(text).map_err(|error| syntax_error(text, file, &error))?;
    check_table(document.get_ref(), &mut Vec::new()).map_err(|fault| fault.into_error(text, file))
}

/// Turns the parser's error into ours.
fn syntax_error(text: &str, file: &Path, error: &toml::de::Error) -> Error {
    let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
    let line = error.span().map(|span| line_of(text, span.start));
    Error::Config {
        path: file.into(),
        line,
        message: format!("not valid TOML: {}", printable(&message)),
        hint: None,
    }
}

/// A fault at a place in the text.
struct Fault {
    span: Range<usize>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn into_error(self, text: &str, file: &Path) -> Error {
        let line = Some(line_of(text, self.span.start));
        Error::Config { path: file.into(), line, message: self.message, hint: self.hint }
    }
}

/// Returns the line of the byte at `offset`, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

fn check_table<'a>(table: &'a DeTable<'_>, place: &mut Vec<&'a str>) -> std::result::Result<(), Fault> {
    for (name, value) in table {
        place.push(name.get_ref());
        check_entry(name.span(), value, place)?;
        place.pop();
    }
    Ok(())
}

fn check_entry<'a>(
    name: Range<usize>,
    value: &'a Spanned<DeValue<'_>>,
    place: &mut Vec<&'a str>,
) -> std::result::Result<(), Fault> {
    if let Some(key) = KEYS.iter().find(|key| covers(key.path, place) == Some(Depth::Whole)) {
        check_name(name, place)?;
        return check_value(key, value, place);
    }
    if !KEYS.iter().any(|key| covers(key.path, place) == Some(Depth::Part)) {
        return Err(unknown(name, place));
    }
    check_name(name.clone(), place)?;
    let Some(table) = value.get_ref().as_table() else {
        let message = format!("{}: expected a table, found {}", shown(place), found(value.get_ref()));
        return Err(Fault { span: value.span(), message, hint: None });
    };
    check_required(name, table, place)?;
    check_table(table, place)
}

/// Relation of a key of the schema to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The place is the key's own.
    Whole,
    /// The place is a table above the key.
    Part,
}

/// Compares the schema path `pattern` with `place`; `None` if they differ.
pub(crate) fn covers(pattern: &str, place: &[&str]) -> Option<Depth> {
    let mut segments = pattern.split('.');
    for part in place {
        let segment = segments.next()?;
        if segment != "*" && segment != *part {
            return None;
        }
    }
    Some(if segments.next().is_none() { Depth::Whole } else { Depth::Part })
}

/// Returns the fault, with its fix, in the names that the user chose on the way to `place`.
pub(crate) fn name_fault(place: &[&str]) -> Option<(String, Option<String>)> {
    let fault = (1..=place.len()).find_map(|depth| check_name(0..0, &place[..depth]).err())?;
    Some((fault.message, fault.hint))
}

/// Returns the fault of `value` at `place`, the place of `key`.
pub(crate) fn value_fault(key: &Key, place: &[&str], value: &DeValue<'_>) -> Option<String> {
    check_value(key, &Spanned::new(0..0, value.clone()), place).err().map(|fault| fault.message)
}

/// Checks names that the user chose: a service's becomes part of options, an instance's is typed in shells.
fn check_name(span: Range<usize>, place: &[&str]) -> std::result::Result<(), Fault> {
    let (name, legal, rule) = match place {
        ["services", name] => (name, is_service_name(name), "service names consist of a-z, 0-9 and '-'"),
        ["instances", name] => (
            name,
            is_instance_name(name),
            "instance names have 1 to 64 characters, no control characters, and do not begin with '-'",
        ),
        ["providers", name] => (
            name,
            is_provider_name(name),
            "provider names consist of letters, digits, '.', '_' and '-', and begin with a letter or digit",
        ),
        ["alias", name] => (
            name,
            is_provider_name(name),
            "alias names consist of letters, digits, '.', '_' and '-', and begin with a letter or digit",
        ),
        _ => return Ok(()),
    };
    if legal {
        return Ok(());
    }
    let clipped: String = name.chars().take(40).collect();
    let dots = if clipped.len() < name.len() { "…" } else { "" };
    let message = format!("{}: bad name \"{}{dots}\"", place[0], printable(&clipped));
    Err(Fault { span, message, hint: Some(rule.to_owned()) })
}

/// Returns true if `name` is valid for a service.
pub(super) fn is_service_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 32 && !name.is_empty() && !name.starts_with('-') && name.chars().all(legal)
}

/// Returns true if `name` is valid for a provider: it becomes part of a file name.
pub fn is_provider_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(legal)
}

fn is_instance_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=64).contains(&length) && !name.starts_with('-') && !name.chars().any(char::is_control)
}

fn unknown(span: Range<usize>, place: &[&str]) -> Fault {
    let depth = place.len() - 1;
    let siblings = KEYS
        .iter()
        .filter(|key| covers(key.path, &place[..depth]) == Some(Depth::Part))
        .filter_map(|key| key.path.split('.').nth(depth));
    let wanted = place[depth];
    let mut names: Vec<&str> = siblings.collect();
    names.dedup();
    let hint = suggest::did_you_mean(wanted, names.iter().copied())
        .unwrap_or_else(|| format!("available: {}", names.join(", ")));
    Fault { span, message: format!("unknown key {}", shown(place)), hint: Some(hint) }
}

fn check_required(span: Range<usize>, table: &DeTable<'_>, place: &[&str]) -> std::result::Result<(), Fault> {
    for required in REQUIRED {
        let Some((parent, name)) = required.rsplit_once('.') else { continue };
        let here = covers(parent, place) == Some(Depth::Whole);
        if here && !refers_only(table) && !table.keys().any(|key| key.get_ref() == name) {
            let message = format!("{} has no {name}", shown(place));
            return Err(Fault { span, message, hint: Some(format!("add {name} = \"…\"")) });
        }
    }
    Ok(())
}

/// Returns true if a table only adds settings of the tunnel to an instance that a provider lists.
fn refers_only(table: &DeTable<'_>) -> bool {
    let mut adds = false;
    let only = table.keys().all(|key| {
        let is_of_tunnel = matches!(key.get_ref().as_ref(), "forward" | "remote" | "socks" | "on-demand");
        adds |= is_of_tunnel;
        is_of_tunnel || key.get_ref() == "id"
    });
    adds && only
}

fn check_value(key: &Key, value: &Spanned<DeValue<'_>>, place: &[&str]) -> std::result::Result<(), Fault> {
    if fits(key.kind, value.get_ref()) {
        return Ok(());
    }
    let expected = key.kind.expectation();
    let message = format!("{}: expected {expected}, found {}", shown(place), found(value.get_ref()));
    Err(Fault { span: value.span(), message, hint: keys_of_address(key.kind, value.get_ref()) })
}

/// Returns the hint for a host with a user or port: the keys to use instead.
fn keys_of_address(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    let address = value.as_str().filter(|_| kind == Kind::Host).map(Address::parse)?.ok()?;
    let user = address.user.map(|user| format!(", user = \"{user}\""));
    let port = address.port.map(|port| format!(", port = {port}"));
    let keys = [user, port].into_iter().flatten().collect::<String>();
    Some(format!("use separate keys: host = \"{}\"{keys}", address.host))
}

fn fits(kind: Kind, value: &DeValue<'_>) -> bool {
    let text = value.as_str();
    match kind {
        Kind::Port => is_port(value),
        Kind::Seconds(min, max) => {
            integer(value).is_some_and(|n| (i64::from(min)..=i64::from(max)).contains(&n))
        }
        Kind::Path | Kind::Text => text.is_some_and(|text| !text.is_empty() && !text.contains('\0')),
        Kind::Host => text.is_some_and(is_host),
        Kind::User => text.is_some_and(is_user),
        Kind::Words => text.is_some_and(|text| !text.contains('\0') && shell_words::split(text).is_ok()),
        Kind::Choice(words) => text.is_some_and(|text| words.contains(&text)),
        Kind::Switch => value.as_bool().is_some(),
        Kind::OnDemand => value.as_bool().is_some() || text.is_some_and(|text| OnDemand::parse(text).is_ok()),
        Kind::Alias => text.is_some_and(is_alias),
        Kind::Forwards(kind) => value.as_array().is_some_and(|array| {
            let is_forward = |text: &str| kind.parse(text).is_ok();
            array.iter().all(|value| value.get_ref().as_str().is_some_and(is_forward))
        }),
        Kind::Texts => value.as_array().is_some_and(|array| {
            array.iter().all(|text| {
                text.get_ref().as_str().is_some_and(|text| !text.is_empty() && !text.contains('\0'))
            })
        }),
        Kind::Provider => text.is_some_and(is_provider_name),
        Kind::Money => number(value).is_some_and(|amount| money(amount).is_some()),
        Kind::Hours => number(value).is_some_and(|hours| (0.1..=f64::from(HOURS_MAX)).contains(&hours)),
        Kind::Service => is_port(value) || value.as_bool() == Some(false) || is_service(value),
    }
}

fn is_alias(text: &str) -> bool {
    let sensible = match text.strip_prefix('!') {
        Some(command) => !command.trim().is_empty(),
        None => {
            shell_words::split(text).is_ok_and(|words| words.first().is_some_and(|word| !word.is_empty()))
        }
    };
    sensible && !text.contains('\0')
}

fn is_port(value: &DeValue<'_>) -> bool {
    integer(value).is_some_and(|n| (1..=65535).contains(&n))
}

fn is_service(value: &DeValue<'_>) -> bool {
    value.as_table().is_some_and(|table| {
        table.keys().any(|key| key.get_ref() == "remote")
            && table.iter().all(|(key, value)| {
                matches!(key.get_ref().as_ref(), "remote" | "local") && is_port(value.get_ref())
            })
    })
}

/// Returns an amount in hundredths; `None` for more than two decimal places and for amounts out of range.
pub fn money(amount: f64) -> Option<u64> {
    let cents = (amount * 100.0).round();
    let is_whole = (amount * 100.0 - cents).abs() < 1e-6;
    let in_range = (1.0..=f64::from(MONEY_MAX) * 100.0).contains(&cents);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number in range")]
    (is_whole && in_range).then_some(cents as u64)
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
        _ => i32::try_from(integer(value)?).ok().map(f64::from),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number: &DeInteger<'_> = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Returns the end of "found …" for a value.
fn found(value: &DeValue<'_>) -> String {
    const SHOWN: usize = 40;
    match value {
        DeValue::String(text) if text.chars().count() > SHOWN => {
            let clipped: String = text.chars().take(SHOWN).collect();
            format!("\"{}…\"", printable(&clipped))
        }
        DeValue::String(text) => format!("\"{}\"", printable(text)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

fn shown(place: &[&str]) -> String {
    printable(&place.join(".")).into_owned()
}
