use std::os::unix::fs::OpenOptionsExt;

use super::keys::KEYS;
use super::*;

const TOKEN: &str = "token = \"0123456789abcdef\"\n";

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("/etc/soong/statusd.toml")).map(|(config, _)| config)
}

#[test]
fn defaults_are_those_of_the_manual() {
    let config = parse(TOKEN).unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(config.policy, Policy { lease: hour * 4, limit: hour * 8, idle: Some(hour / 2) });
    assert_eq!((config.listen.to_string().as_str(), config.gpu_threshold), ("127.0.0.1:8080", 5));
    assert_eq!((config.end, config.dry_run, config.gpu, config.sessions), (End::PowerOff, false, true, true));
    assert!(config.models.is_empty() && config.hooks.ending.is_empty());
    assert!(config.token.is(b"0123456789abcdef") && !config.token.is(b"0123456789abcdeF"));
    assert!(!format!("{:?}", config.token).contains("0123"));
}

#[test]
fn every_key_of_the_manual_is_read_and_no_other() {
    for key in KEYS {
        let needs_token = !key.name.starts_with("token");
        let text = format!("{}{} = {}\n", if needs_token { TOKEN } else { "" }, key.name, key.example);
        match parse(&text) {
            Ok(_) => {}
            Err(error) => assert!(error.to_string().contains("/etc/soong/token"), "{}: {error}", key.name),
        }
    }
    for text in
        ["leaze = \"4h\"\n", "[hooks]\nended_ = []\n", "[ssh]\n", "end = { terminate = \"a\", key = \"b\" }"]
    {
        let error = parse(&format!("{TOKEN}{text}")).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{text}: {error}");
    }
}

#[test]
fn errors_name_the_line_and_what_was_expected() {
    let table = [
        ("lease = 4\n", "line 2: ", "a duration in quotes"),
        ("\nlease = \"4 parsecs\"\n", "line 3: ", "found \"4 parsecs\""),
        ("limit = \"999999d\"\n", "line 2: ", "a duration"),
        ("listen = \"8080\"\n", "line 2: ", "127.0.0.1:8080"),
        ("gpu-threshold = 101\n", "line 2: ", "from 0 to 100, found 101"),
        ("models = [\"https://x\"]\n", "line 2: ", "a URL with a port"),
        ("models = [\"http://x:1/a b\"]\n", "line 2: ", "a URL with a port"),
        ("end = \"reboot\"\n", "line 2: ", "\"poweroff\", an array of words"),
        ("end = []\n", "line 2: ", "absolute path"),
        ("end = [\"halt\"]\n", "line 2: ", "absolute path"),
        ("end = { terminate = \"../x\" }\n", "line 2: ", "name of a provider"),
        ("hooks = { ended = [\"x\"] }\n", "line 2: ", "absolute path"),
        ("lease = \"9h\"\n", "", "lease is longer than limit"),
        ("limit = \"0\"\n", "", "limit is 0"),
        ("state = \"here\"\n", "", "not an absolute path"),
        ("token-file = \"/x\"\n", "", "exclude each other"),
        ("idle = \"1h\"\nidle = \"2h\"\n", "line 3: ", "duplicate key"),
    ];
    for (text, place, reason) in table {
        let error = parse(&format!("{TOKEN}{text}")).unwrap_err().to_string();
        let start = format!("cannot read /etc/soong/statusd.toml: {place}");
        assert!(error.starts_with(&start) && error.contains(reason), "{text}: {error}");
    }
    for text in ["", "token = \"short\"", "token = \"0123456789 abcdef\"", "token = \"0123456789äbcdef\""] {
        assert!(parse(text).unwrap_err().to_string().contains("token"), "{text}");
    }
    assert_eq!(parse(&format!("{TOKEN}idle = \"0\"")).unwrap().policy.idle, None);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("statusd.toml");
    let write = |mode: u32| {
        let _ = fs::remove_file(&file);
        let mut options = fs::OpenOptions::new();
        io::Write::write_all(
            &mut options.create(true).truncate(true).write(true).mode(0o600).open(&file).unwrap(),
            TOKEN.as_bytes(),
        )
        .unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    write(0o600);
    Config::load(&file).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602] {
        write(mode);
        let error = Config::load(&file).unwrap_err();
        assert!(error.to_string().contains("other users can read or write it"), "{mode:o}: {error}");
        assert!(error.hint().unwrap().contains("chmod 600"));
    }
    let missing = Config::load(&directory.path().join("none")).unwrap_err();
    assert!(missing.hint().unwrap().contains("--config"));
}
