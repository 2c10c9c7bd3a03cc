//! `soong-config.5`: every key, from the table that checks them.

use soong::config::schema::{KEYS, Key, Kind};

use super::roff::Page;

pub fn page() -> String {
    let mut page = Page::new("soong-config", 5, "Configuration of soong");
    page.section("DESCRIPTION");
    page.paragraphs(
        "The file ~/.config/soong/config.toml, or the one that $SOONG_CONFIG names, is TOML.\n\
        All of it is optional. 'soong configure' asks and writes it, 'soong configure set KEY VALUE'\n\
        changes one key and leaves comments alone, 'soong configure list' shows all keys and their values.\n\n\
        API keys and tokens stand in credentials.toml beside it, which nobody but you may be able\n\
        to read: lambda.api-key and daemon.token.\n\n\
        In the names of keys, NAME is of your choosing.",
    );
    page.section("KEYS");
    for key in KEYS {
        page.term(&key.path.replace('*', "NAME"), &described(key));
    }
    page.section("EXAMPLES");
    page.example(
        "[ssh]\n\
        key = \"~/.ssh/id_ed25519\"\n\n\
        [services]\n\
        comfyui = 8188\n\
        sglang = { remote = 8000, local = 8001 }\n\
        n8n = false\n\n\
        [instances.dev]\n\
        host = \"203.0.113.7\"\n\n\
        [providers]\n\
        lambda = true",
    );
    page.section("\"SEE ALSO\"");
    page.line(".BR soong (1),");
    page.line(".BR soong\\-configure (1)");
    page.finish()
}

fn described(key: &Key) -> String {
    let expected = key.kind.expectation();
    let default = if key.default.is_empty() { "none".to_owned() } else { key.default.to_owned() };
    let example = example(key);
    assert!(example.parse::<toml::Table>().is_ok(), "{example}");
    format!("{}.\nExpected: {expected}.\nDefault: {default}.\nExample: {example}", first_upper(key.summary))
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The key with a value, as it can be written at the top of the file.
fn example(key: &Key) -> String {
    let name = match key.path.split('.').next() {
        Some("services") => "comfyui",
        Some("providers") => "lambda",
        Some("alias") => "up",
        _ => "dev",
    };
    let value = match (key.path, key.kind) {
        ("ssh.options", _) => "\"-o ProxyJump=gate\"".to_owned(),
        ("lambda.api-key-command", _) => "\"pass show lambda\"".to_owned(),
        ("instances.*.id", _) => "\"a1b2c3d4\"".to_owned(),
        ("instances.*.port", _) => "2222".to_owned(),
        ("instances.*.socks", _) => "1080".to_owned(),
        ("instances.*.forward", _) => "[\"5432:db.internal:5432\"]".to_owned(),
        ("instances.*.remote", _) => "[\"9000:localhost:3000\"]".to_owned(),
        (_, Kind::Service) => "8188".to_owned(),
        (_, Kind::Switch) => "true".to_owned(),
        (_, Kind::Host) => "\"203.0.113.7\"".to_owned(),
        (_, Kind::Path) => "\"~/.ssh/id_ed25519\"".to_owned(),
        (_, Kind::User) => "\"ubuntu\"".to_owned(),
        (_, Kind::Choice(words)) => format!("\"{}\"", words[words.len() - 1]),
        (_, Kind::Port | Kind::Seconds(..)) => key.default.to_owned(),
        ("alias.*", _) => "\"tunnel start --sglang-port 8001\"".to_owned(),
        _ => format!("\"{}\"", key.default),
    };
    format!("{} = {value}", key.path.replace('*', name))
}
