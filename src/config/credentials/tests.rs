//! Contents, permissions and confidentiality of the file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;

const FULL: &str = "# mine\n[lambda]\napi-key = \"key-1\"\n\n[daemon]\ntoken = \"token-1\"\n";

fn parse(text: &str) -> Result<Credentials> {
    Credentials::parse(text, Path::new("credentials.toml"))
}

fn told(error: &Error) -> String {
    let hints: String = error.hints().iter().map(|hint| format!(" | {hint}")).collect();
    format!("{error}{hints}")
}

/// Creates a file with `text` and `mode`.
fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials.toml");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    (directory, file)
}

#[test]
fn both_secrets_are_found_where_they_belong() {
    let credentials = parse(FULL).unwrap();
    assert_eq!(credentials.api_key.unwrap().expose(), "key-1");
    assert_eq!(credentials.daemon_token.unwrap().expose(), "token-1");
    let runpod = parse("[runpod]\napi-key = \"key-2\"\n").unwrap();
    assert_eq!((runpod.runpod_api_key.unwrap().expose(), runpod.api_key), ("key-2", None));
    let empty = parse("").unwrap();
    assert!(empty.api_key.is_none() && empty.daemon_token.is_none());
    assert!(parse("[lambda]\n[daemon]\n").unwrap().api_key.is_none());
}

#[test]
fn nothing_prints_a_secret() {
    let credentials = parse(FULL).unwrap();
    let debug = format!("{credentials:?} {credentials:#?}");
    assert!(debug.contains('…') && !debug.contains("key-1") && !debug.contains("token-1"), "{debug}");
}

#[test]
fn faults_name_the_line_and_quote_nothing() {
    let table = [
        ("[lambda]\napi-key = hush", "line 2: not valid TOML"),
        ("[lambda]\napi-key = \"hush\n", "line 2: not valid TOML"),
        (
            "[lambda]\napi_key = \"hush\"",
            "line 2: unknown key | available: lambda.api-key, runpod.api-key, daemon.token",
        ),
        ("\n\nhush = \"hush\"", "line 3: unknown key"),
        ("[[lambda]]\napi-key = \"hush\"", "line 1: unknown key"),
        ("[lambda]\napi-key = [\"hush\"]", "line 2: lambda.api-key is not a secret"),
        ("[lambda]\napi-key = \"\"", "line 2: lambda.api-key is not a secret"),
        ("[daemon]\ntoken = \"hush\\r\\nX: y\"", "line 2: daemon.token is not a secret"),
    ];
    for (text, expected) in table {
        let told = told(&parse(text).unwrap_err());
        assert!(told.starts_with(&format!("cannot read credentials.toml: {expected}")), "{told}");
        assert!(!told.contains("hush"), "{told}");
    }
}

#[test]
fn secrets_fit_into_a_header() {
    assert_eq!(Secret::new(" a-b_c.d~+/= \n").unwrap().expose(), "a-b_c.d~+/=");
    for unfit in ["", " ", "a b", "a\nb", "a\tb", "ä", "a\u{7f}", "a\0"] {
        assert!(Secret::new(unfit).is_none(), "{unfit:?}");
    }
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_way_to_close_it() {
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
        let (_directory, file) = file(FULL, mode);
        let told = told(&read(&file).unwrap_err());
        let shown = file.display();
        assert_eq!(told, format!("{shown} can be read by other users | fix it: chmod 600 {shown}"));
    }
    for mode in [0o600, 0o400] {
        let (_directory, file) = file(FULL, mode);
        assert_eq!(read(&file).unwrap().unwrap(), FULL);
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("credentials.toml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(read(&fifo).unwrap_err().to_string().ends_with("not a regular file"));
    assert!(read(directory.path()).unwrap_err().to_string().ends_with("not a regular file"));
    assert!(read(&directory.path().join("none")).unwrap().is_none());
}

#[test]
fn the_predecessors_secrets_are_found() {
    for text in [
        r#"{"token": "t"}"#,
        r#"{"status_token": "t", "other": 1}"#,
        r#"{"status_daemon": {"token": "t", "port": 8080}, "lambda": {"api_key": "k"}}"#,
    ] {
        let (_directory, file) = file(text, 0o600);
        let credentials = Credentials::load_legacy(&file).unwrap();
        assert_eq!(credentials.daemon_token.unwrap().expose(), "t", "{text}");
        assert_eq!(credentials.api_key.is_some(), text.contains("api_key"));
    }
    let (_directory, broken) = file("{\"token\": \"hush\n}", 0o600);
    let told = told(&Credentials::load_legacy(&broken).unwrap_err());
    assert!(told.contains("not valid JSON") && !told.contains("hush"), "{told}");
}

#[test]
fn tokens_of_instances_are_read_by_id() {
    let credentials = parse("[daemon]\ntokens = { a1 = \"key-1\", \"b 2\" = \"key-2\" }\n").unwrap();
    let tokens: Vec<_> =
        credentials.instance_tokens.iter().map(|(id, token)| (id.as_str(), token.expose())).collect();
    assert_eq!(tokens, [("a1", "key-1"), ("b 2", "key-2")]);
    let debug = format!("{credentials:?}");
    assert!(!debug.contains("key-"), "{debug}");
    for text in
        ["[daemon]\ntokens = \"hush\"", "[daemon.tokens]\na = 1", "[daemon.tokens]\na = \"hush hush\""]
    {
        let told = told(&parse(text).unwrap_err());
        assert!(told.contains("line 2: ") && !told.contains("hush"), "{told}");
    }
}
