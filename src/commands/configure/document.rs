//! Edits the text of a TOML file and keeps everything else: comments, order, spacing.

use std::borrow::Cow;
use std::ops::Range;

use toml_edit::{Document, DocumentMut, Item, Key, Table, TableLike, Value};

use crate::error::{Error, Result};
use crate::terminal::printable;

/// Returns the item at `segments` in `text`, if there is one.
pub fn get(text: &str, segments: &[String]) -> Result<Option<Item>> {
    let document = Document::parse(text).map_err(|error| unreadable(&error))?;
    let mut table: &dyn TableLike = document.as_table();
    let Some((last, parents)) = segments.split_last() else { return Ok(None) };
    for name in parents {
        match table.get(name).and_then(Item::as_table_like) {
            Some(inner) => table = inner,
            None => return Ok(None),
        }
    }
    Ok(table.get(last).filter(|item| !item.is_none()).cloned())
}

/// Returns `text` with `value` at `segments`.
pub fn set(text: &str, segments: &[String], value: &Value) -> Result<String> {
    if let Some(span) = get(text, segments)?.and_then(|item| item.as_value().and_then(Value::span)) {
        return Ok(format!("{}{}{}", &text[..span.start], bare(value), &text[span.end..]));
    }
    // A table in that place is replaced.
    let text = remove(text, segments)?.map_or(Cow::Borrowed(text), Cow::Owned);
    let text = text.as_ref();
    let Some((last, parents)) = segments.split_last() else { return Ok(text.to_owned()) };
    if get(text, parents)?.is_none()
        && let Some(text) = append(text, parents, last, value)
    {
        return Ok(text);
    }
    let mut document: DocumentMut = text.parse().map_err(|error| unreadable(&error))?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let mut inline = false;
    for (depth, name) in parents.iter().enumerate() {
        inline = table.get(name).is_some_and(Item::is_inline_table);
        table = table.entry(name).or_insert(toml_edit::table()).as_table_like_mut().ok_or_else(|| {
            Error::failed(format!("{} is not a table", printable(&parents[..=depth].join("."))))
        })?;
    }
    let mut value = bare(value);
    if inline {
        take_space_before_brace(table, &mut value);
    }
    table.insert(last, Item::Value(value));
    Ok(document.to_string())
}

/// Returns `text` with a new table at its end, after any comments there. `None` if that is impossible, as
/// with `instances = { … }`.
fn append(text: &str, parents: &[String], last: &str, value: &Value) -> Option<String> {
    let mut table = Table::new();
    table.insert(last, Item::Value(bare(value)));
    let mut addition = Item::Table(table);
    for (depth, name) in parents.iter().enumerate().rev() {
        let mut outer = Table::new();
        outer.set_implicit(depth > 0);
        outer.insert(name, addition);
        addition = Item::Table(outer);
    }
    let addition = addition.as_table().cloned().map(DocumentMut::from)?;
    let gap = if text.is_empty() { "" } else { "\n" };
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let longer = format!("{text}{end}{gap}{addition}");
    longer.parse::<DocumentMut>().is_ok().then_some(longer)
}

/// In `{ a = 1 }` the space before the brace belongs to the last value; moves it to the new one.
fn take_space_before_brace(table: &mut dyn TableLike, value: &mut Value) {
    if let Some(before) = table.iter_mut().last().and_then(|(_, item)| item.as_value_mut())
        && let Some(space) = before.decor().suffix().cloned()
    {
        before.decor_mut().set_suffix("");
        value.decor_mut().set_prefix(" ");
        value.decor_mut().set_suffix(space);
    }
}

/// Returns `value` without the spacing of its old place.
fn bare(value: &Value) -> Value {
    let mut value = value.clone();
    value.decor_mut().clear();
    value
}

/// Returns `text` without the value or table at `segments`; `None` if there was none. A table is removed from
/// its header to its last value; comments above it stay, as they may concern more.
pub fn remove(text: &str, segments: &[String]) -> Result<Option<String>> {
    if get(text, segments)?.is_none() {
        return Ok(None);
    }
    if let Some(cuts) = cuts(text, segments)? {
        let mut shorter = text.to_owned();
        cuts.into_iter().rev().for_each(|cut| shorter.replace_range(cut, ""));
        return Ok(Some(shorter));
    }
    let mut document: DocumentMut = text.parse().map_err(|error| unreadable(&error))?;
    let Some((last, parents)) = segments.split_last() else { return Ok(None) };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for name in parents {
        let Some(inner) = table.get_mut(name).and_then(Item::as_table_like_mut) else { return Ok(None) };
        table = inner;
    }
    table.remove(last);
    Ok(Some(document.to_string()))
}

/// Returns the lines of the item at `segments`, in order; `None` inside `{ … }`.
fn cuts(text: &str, segments: &[String]) -> Result<Option<Vec<Range<usize>>>> {
    let document = Document::parse(text).map_err(|error| unreadable(&error))?;
    let mut table = document.as_table();
    let Some((last, parents)) = segments.split_last() else { return Ok(None) };
    for name in parents {
        match table.get(name).and_then(Item::as_table) {
            Some(inner) => table = inner,
            None => return Ok(None),
        }
    }
    let mut spans = Vec::new();
    if let Some((key, item)) = table.get_key_value(last) {
        collect_spans(key, item, &mut spans);
    }
    spans.sort_by_key(|span| span.start);
    Ok(Some(spans.into_iter().map(|span| whole_lines(text, &span)).collect()))
}

/// Location of an item: `key = value`, a header with the values below it, or several of those.
fn collect_spans(key: &Key, item: &Item, spans: &mut Vec<Range<usize>>) {
    let Item::Table(table) = item else {
        spans.extend(key.span().zip(item.span()).map(|(key, value)| key.start..value.end));
        return;
    };
    let inner = table.iter().filter_map(|(name, _)| table.get_key_value(name));
    let header = if table.is_implicit() || table.is_dotted() { None } else { table.span() };
    let Some(header) = header else {
        inner.for_each(|(key, item)| collect_spans(key, item, spans));
        return;
    };
    let mut own = Vec::new();
    for (key, item) in inner {
        let has_header = item.as_table().is_some_and(|table| !table.is_dotted());
        collect_spans(key, item, if has_header { spans } else { &mut own });
    }
    let end = own.iter().map(|span| span.end).fold(header.end, usize::max);
    spans.push(header.start..end);
}

fn whole_lines(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |newline| span.end + newline + 1);
    start..end
}

/// The document is not TOML. Callers check it first and report more.
fn unreadable(error: &toml_edit::TomlError) -> Error {
    let message = error.message().lines().next().unwrap_or_default().to_owned();
    Error::failed(format!("not valid TOML: {}", printable(&message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# My tunnels.\n\n[services] # what I use\nn8n = false   # never\n\n# jump first\n[ssh]\n  port   =  22 # theirs\nuser = \"me\"\n\n[instances.dev]\n# rented by the hour\nhost = \"192.0.2.7\"\n\n# the end\n";

    fn path(place: &str) -> Vec<String> {
        place.split('.').map(str::to_owned).collect()
    }

    fn put(text: &str, place: &str, value: &str) -> String {
        set(text, &path(place), &value.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_changed_value_changes_nothing_else() {
        assert_eq!(put(TEXT, "ssh.port", "2222"), TEXT.replace("  22 #", "  2222 #"));
        assert_eq!(put(TEXT, "services.n8n", "81"), TEXT.replace("false", "81"));
        let windows = TEXT.replace('\n', "\r\n");
        assert_eq!(put(&windows, "ssh.port", "2222"), windows.replace("  22 #", "  2222 #"));
        let inline = "ssh = { port = 22, user = \"me\" } # one line\n";
        assert_eq!(put(inline, "ssh.port", "1"), inline.replace("22", "1"));
        assert_eq!(put("ssh.port = 22 # x", "ssh.port", "1"), "ssh.port = 1 # x");
    }

    #[test]
    fn a_new_value_goes_into_its_table() {
        let text = put(TEXT, "ssh.keepalive", "9");
        assert_eq!(text, TEXT.replace("user = \"me\"\n", "user = \"me\"\nkeepalive = 9\n"));
        assert_eq!(put("", "ssh.port", "1"), "[ssh]\nport = 1\n");
        assert_eq!(put("", "instances.dev.host", "\"h\""), "[instances.dev]\nhost = \"h\"\n");
        assert_eq!(
            put("[ssh]\nport = 1\n", "services.web", "80"),
            "[ssh]\nport = 1\n\n[services]\nweb = 80\n"
        );
        assert_eq!(put("ssh = { port = 22 }\n", "ssh.user", "\"u\""), "ssh = { port = 22, user = \"u\" }\n");
        assert_eq!(put("# only a comment\n", "ssh.port", "1"), "# only a comment\n\n[ssh]\nport = 1\n");
    }

    #[test]
    fn a_second_instance_stands_beside_the_first() {
        let text = put(TEXT, "instances.b.host", "\"h\"");
        assert_eq!(text, format!("{TEXT}\n[instances.b]\nhost = \"h\"\n"));
        let inline = "instances = { a = { host = \"h\" } }\n";
        let text = put(inline, "instances.b.host", "\"h\"");
        assert!(get(&text, &path("instances.b.host")).unwrap().is_some(), "{text}");
        let dotted = "instances.a.host = \"h\"\n";
        let text = put(dotted, "instances.b.host", "\"h\"");
        assert!(get(&text, &path("instances.b.host")).unwrap().is_some(), "{text}");
    }

    #[test]
    fn what_is_removed_takes_its_line_and_nothing_else() {
        let text = remove(TEXT, &path("ssh.port")).unwrap().unwrap();
        assert_eq!(text, TEXT.replace("  port   =  22 # theirs\n", ""));
        let text = remove(TEXT, &path("instances.dev.host")).unwrap().unwrap();
        assert!(text.contains("# rented by the hour\n"));
        let long = "[ssh]\noptions = \"\"\"-C\n-4\"\"\"\nport = 1\n";
        assert_eq!(remove(long, &path("ssh.options")).unwrap().unwrap(), "[ssh]\nport = 1\n");
        let inline = "ssh = { port = 22, user = \"me\" }\n";
        assert_eq!(remove(inline, &path("ssh.port")).unwrap().unwrap(), "ssh = { user = \"me\" }\n");
        assert_eq!(remove(TEXT, &path("ssh.key")).unwrap(), None);
        assert_eq!(remove(TEXT, &path("instances.other.host")).unwrap(), None);
    }

    #[test]
    fn a_table_is_removed_whole() {
        let text = remove(TEXT, &path("instances.dev")).unwrap().unwrap();
        assert_eq!(text, format!("{}\n# the end\n", TEXT.split("[instances.dev]").next().unwrap()));
        let first = "# mine\n\n[instances.a]\nhost = \"h\"\n\n[ssh]\nport = 1\n";
        assert_eq!(remove(first, &path("instances.a")).unwrap().unwrap(), "# mine\n\n\n[ssh]\nport = 1\n");
        let dotted = "instances.a.host = \"h\"\nssh.port = 1\ninstances.a.port = 2\n";
        assert_eq!(remove(dotted, &path("instances.a")).unwrap().unwrap(), "ssh.port = 1\n");
        let table = "[services]\nn8n = 1\n\n# why\n[services.web]\nremote = 1\nlocal = 2\n";
        assert_eq!(put(table, "services.web", "80"), "[services]\nn8n = 1\nweb = 80\n\n# why\n");
    }

    proptest::proptest! {
        /// Properties of every edit: a set value is found, comments stay except inside a replaced table, and
        /// the value can be removed again.
        #[test]
        fn a_value_can_be_set_found_and_removed(
            lines in proptest::collection::vec("(# [ -~]{0,20}|[a-d] = [0-9]{1,3} ?(# [a-z]{0,9})?|\\[[e-h]\\]|\\[[e-h]\\.[a-d]\\]|)", 0..12),
            place in "[e-h]\\.[a-d](\\.[a-d])?",
        ) {
            let text = lines.join("\n") + "\n";
            if text.parse::<DocumentMut>().is_err() {
                return Ok(());
            }
            let place = path(&place);
            // A value may be in the place of a table.
            let Ok(longer) = set(&text, &place, &Value::from(4711)) else { return Ok(()) };
            let found = get(&longer, &place).unwrap().unwrap();
            proptest::prop_assert_eq!(found.as_integer(), Some(4711));
            let was_table = get(&text, &place).unwrap().is_some_and(|item| item.is_table());
            for line in lines.iter().filter(|line| line.starts_with('#') && !was_table) {
                proptest::prop_assert!(longer.contains(line.as_str()), "{}", longer);
            }
            let shorter = remove(&longer, &place).unwrap().unwrap();
            proptest::prop_assert!(get(&shorter, &place).unwrap().is_none());
            proptest::prop_assert!(shorter.parse::<DocumentMut>().is_ok(), "{}", shorter);
        }
    }
}
