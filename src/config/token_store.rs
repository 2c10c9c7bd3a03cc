//! Changes tokens of single status daemons: `[daemon.tokens]`, by the id of the instance.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use toml_edit::{DocumentMut, Item, Table, value};

use crate::config::credentials::{API_KEY, Credentials, DAEMON_TOKEN, INSTANCE_TOKENS, Secret, read};
use crate::error::{Error, Result};
use crate::system::lock::{self, WRITER_PATIENCE};
use crate::system::paths::{self, Paths};

/// Returns a new random token.
pub fn generate() -> Result<Secret> {
    let mut bytes = [0; 32];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| Error::failed(format!("no random numbers from the system: {error}")))?;
    Secret::new(&URL_SAFE_NO_PAD.encode(bytes)).ok_or_else(|| Error::failed("cannot create a token"))
}

/// Stores `token` for the instance `id`, or removes its token.
pub fn store_token(paths: &Paths, id: &str, token: Option<&Secret>) -> Result<()> {
    paths.ensure_state()?;
    let _lock = lock::lock(&paths.configure_lock(), WRITER_PATIENCE)?;
    let file = paths.credentials_file();
    let text = match read(&file)? {
        Some(text) => text,
        None => inherited(&Credentials::load(paths)?),
    };
    let changed = edit(&text, id, token)?;
    if changed == text {
        return Ok(());
    }
    Credentials::parse(&changed, &file)?;
    if let Some(directory) = file.parent().filter(|directory| !directory.is_dir()) {
        paths::create_private(directory)?;
    }
    paths::rewrite(&file, changed.as_bytes())
}

/// Returns a text with the secrets of soong's predecessor, whose file is ignored once the own one exists.
fn inherited(legacy: &Credentials) -> String {
    let mut document = DocumentMut::new();
    for (name, secret) in [(API_KEY, &legacy.api_key), (DAEMON_TOKEN, &legacy.daemon_token)] {
        if let (Some(secret), Some((table, key))) = (secret, name.split_once('.')) {
            document[table] = Item::Table(Table::from_iter([(key, secret.expose())]));
        }
    }
    document.to_string()
}

/// Returns `text` with the changed token; comments stay.
fn edit(text: &str, id: &str, token: Option<&Secret>) -> Result<String> {
    // Not the parser's message, which can quote the text.
    let mut document: DocumentMut =
        text.parse().map_err(|_| Error::failed("credentials.toml is not valid TOML"))?;
    let [table, tokens] = INSTANCE_TOKENS;
    let implicit = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    let malformed = || Error::failed("[daemon.tokens] in credentials.toml is not a table");
    let parent = document.entry(table).or_insert_with(implicit).as_table_like_mut().ok_or_else(malformed)?;
    let entries = parent.entry(tokens).or_insert_with(implicit).as_table_like_mut().ok_or_else(malformed)?;
    match token {
        Some(token) => {
            entries.insert(id, value(token.expose()));
        }
        None => {
            entries.remove(id);
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn tokens_are_added_replaced_and_removed_beside_the_rest() {
        let secret = |text: &str| Secret::new(text).unwrap();
        let before = "# mine\n[daemon]\ntoken = \"global\" # all\n\n[lambda]\napi-key = \"key\"\n";
        let one = edit(before, "a1.b \"2\"", Some(&secret("one"))).unwrap();
        let two = edit(&one, "c3", Some(&secret("two"))).unwrap();
        let read = |text: &str| Credentials::parse(text, Path::new("credentials.toml")).unwrap();
        let tokens = read(&two).instance_tokens;
        assert_eq!(tokens.keys().collect::<Vec<_>>(), ["a1.b \"2\"", "c3"]);
        assert!(two.starts_with(before.trim_end_matches("\n[lambda]\napi-key = \"key\"\n")), "{two}");
        let again = edit(&two, "c3", Some(&secret("new"))).unwrap();
        assert_eq!(read(&again).instance_tokens["c3"].expose(), "new");
        let none = edit(&edit(&again, "c3", None).unwrap(), "a1.b \"2\"", None).unwrap();
        assert!(read(&none).instance_tokens.is_empty());
        assert_eq!(read(&none).daemon_token.unwrap().expose(), "global");
        assert_eq!(read(&edit("", "a", Some(&secret("x"))).unwrap()).instance_tokens["a"].expose(), "x");
        assert!(edit("daemon = 1", "a", Some(&secret("x"))).is_err());
    }

    #[test]
    fn secrets_of_the_predecessor_are_taken_along() {
        let secret = Secret::new("old");
        let legacy = Credentials { api_key: secret.clone(), daemon_token: secret, ..Credentials::default() };
        let read = Credentials::parse(&inherited(&legacy), Path::new("x")).unwrap();
        assert_eq!((read.api_key, read.daemon_token), (legacy.api_key, legacy.daemon_token));
    }
}
