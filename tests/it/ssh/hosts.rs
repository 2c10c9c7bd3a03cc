//! `soong ssh config`: two files, of which one is the user's.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use super::path;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::tools::system_path;

const USERS: &[u8] = b"# mine \xff\r\nHost *\n\tForwardAgent no\nHost old\n  User x";

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.instance("dev", "192.0.2.7", 2222);
        config.instance("my gpu", "192.0.2.8", 22);
    });
    sandbox
}

fn mode(file: &std::path::Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_put_in_can_be_taken_out_to_the_byte() {
    let sandbox = sandbox();
    let (user_file, ours) = (sandbox.path("home/.ssh/config"), sandbox.path("home/.config/soong/ssh_config"));
    sandbox.write(&user_file, USERS);
    fs::set_permissions(&user_file, fs::Permissions::from_mode(0o644)).unwrap();
    let installed = sandbox
        .soong(["ssh", "config", "--install"])
        .stdout_has("Added to [ROOT]/home/.ssh/config: Include ");
    installed.stdout_has("ssh soong-dev\n").stderr_has("").run();
    let text = fs::read(&user_file).unwrap();
    assert!(text.ends_with(USERS));
    let first = format!("\nInclude {}\n", ours.display());
    assert!(String::from_utf8_lossy(&text[..text.len() - USERS.len()]).ends_with(&first));
    assert_eq!((mode(&user_file), mode(&ours)), (0o644, 0o600));

    let before = [&user_file, &ours]
        .map(|file| (fs::read(file).unwrap(), fs::metadata(file).unwrap().modified().unwrap()));
    for arguments in [&["ssh", "config"][..], &["ssh", "config", "--install"]] {
        sandbox.soong(arguments).stdout_has("is up to date").run();
    }
    let after = [&user_file, &ours]
        .map(|file| (fs::read(file).unwrap(), fs::metadata(file).unwrap().modified().unwrap()));
    assert_eq!(before, after, "a second run touches nothing");

    sandbox.soong(["ssh", "config", "--remove"]).stdout_has("Removed from [ROOT]/home/.ssh/config").run();
    assert_eq!(fs::read(&user_file).unwrap(), USERS);
    assert_eq!(mode(&user_file), 0o644);
    assert!(!ours.exists());
    sandbox.soong(["ssh", "config", "--remove"]).stdout("Nothing to remove\n").run();
}

#[test]
fn where_there_was_nothing_there_is_nothing_afterwards() {
    let sandbox = sandbox();
    let user_file = sandbox.path("home/.ssh/config");
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("").stderr_has("").run();
    assert_eq!((mode(&sandbox.path("home/.ssh")), mode(&user_file)), (0o700, 0o600));
    sandbox.soong(["ssh", "config", "--remove"]).stdout_has("Removed").run();
    assert!(!user_file.exists());
}

#[test]
fn links_stay_links() {
    let sandbox = sandbox();
    let (user_file, dotfile) = (sandbox.path("home/.ssh/config"), sandbox.path("home/dotfiles/ssh"));
    sandbox.write(&dotfile, USERS);
    fs::create_dir(sandbox.path("home/.ssh")).unwrap();
    symlink("../dotfiles/ssh", &user_file).unwrap();
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("").stderr_has("").run();
    assert!(user_file.is_symlink());
    assert_ne!(fs::read(&dotfile).unwrap(), USERS);
    sandbox.soong(["ssh", "config", "--remove"]).stdout_has("").run();
    assert!(user_file.is_symlink());
    assert_eq!(fs::read(&dotfile).unwrap(), USERS);
}

#[test]
fn without_a_terminal_the_users_file_is_not_touched() {
    let sandbox = sandbox();
    sandbox
        .soong(["ssh", "config"])
        .stdout_has("Wrote [ROOT]/home/.config/soong/ssh_hosts\n")
        .stdout_has("Wrote [ROOT]/home/.config/soong/ssh_config\n")
        .stderr_has("--install")
        .run();
    assert!(!sandbox.path("home/.ssh").exists());
}

#[test]
fn print_writes_nothing() {
    let sandbox = sandbox();
    let before = sandbox.files();
    sandbox
        .soong(["ssh", "config", "--print"])
        .stdout_has("\nHost soong-dev\n")
        .stdout_has("HostName 192.0.2.7\n")
        .run();
    assert_eq!(sandbox.files(), before);
    sandbox.soong(["ssh", "config", "--print", "--install"]).fails(2, ["cannot be used with"]).run();
}

#[test]
fn the_user_is_asked_once() {
    let sandbox = sandbox();
    let user_file = sandbox.path("home/.ssh/config");
    let config = || Terminal::run(&sandbox.soong(["ssh", "config"]), 24, 80);
    let line = format!("Include {}", path(&sandbox.path("home/.config/soong/ssh_config")));
    let mut no = config();
    no.wait_for("[Y/n]");
    assert!(no.screen().contains(&line), "{}", no.screen());
    no.type_text("maybe\nno\n");
    assert_eq!(no.finish(), 0);
    assert!(!user_file.exists());
    let mut again = config();
    assert_eq!(again.finish(), 0);
    again.wait_for("--install");
    assert!(!again.screen().contains("[Y/n]"), "{}", again.screen());

    sandbox.soong(["ssh", "config", "--remove"]).stdout_has("").run();
    let mut yes = config();
    yes.wait_for("[Y/n]");
    yes.type_text("\n");
    assert_eq!(yes.finish(), 0);
    assert!(fs::read_to_string(&user_file).unwrap().contains(&line));
}

#[test]
fn a_file_that_cannot_be_changed_stays_and_the_line_is_told() {
    let sandbox = sandbox();
    fs::create_dir_all(sandbox.path("home/.ssh/config")).unwrap();
    sandbox.soong(["ssh", "config", "--install"]).fails(1, ["home/.ssh/config: not a regular file"]).run();
}

#[test]
fn no_name_means_more_than_itself() {
    let mut sandbox = Sandbox::new();
    let names = ["a b", "*", "\"", "#x", "Host *", "größe", "soong-*,!x"];
    sandbox.configure(|config| {
        for (index, name) in names.iter().enumerate() {
            config.instance(name, "192.0.2.7", 22 + u16::try_from(index).unwrap());
        }
    });
    let output = sandbox.soong(["ssh", "config", "--install"]).stdout_has("").stderr_has("").run();
    let aliases: Vec<&str> = output.stdout.lines().filter_map(|line| line.strip_prefix("  ssh ")).collect();
    assert_eq!(aliases.len(), names.len());
    let asked = |host: &str| super::ssh(&sandbox, "ssh", &["-TG", "--", host]).stdout_has("").run().stdout;
    for alias in aliases {
        assert!(asked(alias).contains("\nhostname 192.0.2.7\n"), "{alias}");
    }
    for other in ["example.org", "x", "soong-x", "soong-"] {
        let answer = asked(other);
        assert!(answer.contains(&format!("\nhostname {other}\n")), "{answer}");
        assert!(!answer.contains("192.0.2.7") && !answer.contains("proxycommand"), "{answer}");
    }
}

#[test]
fn what_is_configured_for_the_host_itself_counts() {
    let mut sandbox = Sandbox::new();
    let users = sandbox.path("home/users");
    sandbox.write(&users, "Host gpu\n  HostName 198.51.100.9\n  Port 2200\n  ProxyJump bastion\n");
    sandbox.configure(|config| {
        config.set(["ssh", "options"], format!("-F {}", users.display()));
        config.set(["instances", "dev", "host"], "gpu");
    });
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("").stderr_has("").run();
    let known = super::ssh(&sandbox, "ssh", &["-TG", "soong-dev"]);
    known
        .stdout_has("\nhostname 198.51.100.9\n")
        .stdout_has("\nport 2200\n")
        .stdout_has("\nproxyjump bastion\n")
        .run();
}

#[test]
fn instances_of_a_provider_are_hosts_too_and_stay_when_it_fails() {
    let mut sandbox = Sandbox::new();
    super::provider(&mut sandbox, "exit 1");
    super::soong(&sandbox, &["ssh", "config"]).stdout_has("").stderr_has("soong-ssh: ").run();
    let evil = r#"{"id":"b2","name":"x\nHost *\n  ProxyCommand y","status":"active","host":"192.0.2.9"}"#;
    let bad = r#"{"id":"c3","name":"bad","status":"active","host":"h\nHost *"}"#;
    let over = r#"{"id":"d4","name":"over","status":"terminated","host":"192.0.2.8"}"#;
    let good = r#"{"id":"a1","name":"train","status":"active","host":"192.0.2.7","port":2222}"#;
    super::provider(
        &mut sandbox,
        &format!("cat <<'END'\n{{\"api\":1,\"instances\":[{good},{evil},{bad},{over}]}}\nEND"),
    );
    let first =
        super::soong(&sandbox, &["ssh", "config", "--print"]).stdout_has("\nHost soong-train\n").run().stdout;
    assert!(first.contains("HostName 192.0.2.7\n    User ubuntu\n    Port 2222\n"), "{first}");
    assert_eq!(first.matches("\nHost ").count(), 2, "{first}");
    assert!(!first.contains("\n  ProxyCommand") && !first.contains("soong-over"), "{first}");
    super::provider(&mut sandbox, "echo no network >&2; exit 1");
    let run = super::soong(&sandbox, &["ssh", "config", "--print"])
        .stdout(sandbox.normalise(&first))
        .stderr_has("no network");
    run.run();
}

/// Makes the hosts two minutes older.
fn age(sandbox: &Sandbox) {
    let file = fs::File::options().write(true).open(sandbox.path("home/.config/soong/ssh_hosts")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(120)).unwrap();
    for source in ["home/.config/soong/config.toml", "home/.ssh/config"] {
        let file = fs::File::options().append(true).open(sandbox.path(source)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(180)).unwrap();
    }
}

#[test]
fn ssh_finds_new_addresses_and_new_instances_by_itself() {
    let mut sandbox = Sandbox::new();
    let lists = |address: &str, more: &str| {
        let list =
            format!(r#"{{"id":"a1","name":"train","status":"active","host":"{address}","port":2222}}{more}"#);
        format!("echo asked >> \"$HOME/asked\"; echo '{{\"api\":1,\"instances\":[{list}]}}'")
    };
    super::provider(&mut sandbox, &lists("192.0.2.7", ""));
    super::soong(&sandbox, &["ssh", "config", "--install"])
        .stdout_has("ssh soong-train")
        .stderr_has("")
        .run();
    let path = format!("{}:{}", sandbox.path("bin").display(), system_path().to_str().unwrap());
    let asked_of_ssh = |sandbox: &Sandbox, host: &str| {
        let run = super::ssh(sandbox, "ssh", &["-TG", "--", host]).env("PATH", &path);
        run.stdout_has("").run().stdout
    };
    let log = sandbox.path("home/asked");
    let queries = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    assert_eq!(queries(), 1);
    super::provider(
        &mut sandbox,
        &lists(
            "192.0.2.8",
            r#",{"id":"b2","name":"new","status":"active","host":"192.0.2.9","user":"root"}"#,
        ),
    );
    age(&sandbox);
    assert!(asked_of_ssh(&sandbox, "example.org").contains("\nhostname example.org\n"));
    assert_eq!(queries(), 1, "another host is no reason to query a provider");
    assert!(asked_of_ssh(&sandbox, "soong-train").contains("\nhostname 192.0.2.8\n"));
    let new = asked_of_ssh(&sandbox, "soong-new");
    assert!(new.contains("\nhostname 192.0.2.9\n") && new.contains("\nuser root\n"), "{new}");
    assert_eq!(queries(), 2, "the second ssh of a minute uses the first one's answer");
    age(&sandbox);
    super::provider(&mut sandbox, "echo asked >> \"$HOME/asked\"; echo no network >&2; exit 1");
    age(&sandbox);
    assert!(asked_of_ssh(&sandbox, "soong-train").contains("\nhostname 192.0.2.8\n"));
    assert_eq!(queries(), 3);
}

#[test]
fn a_change_of_the_config_reaches_ssh_at_once_and_a_lost_soong_leaves_the_hosts() {
    let mut sandbox = sandbox();
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("").stderr_has("").run();
    sandbox.configure(|config| {
        config.instance("late", "192.0.2.77", 22);
        // A host that ssh resolves with the help of soong itself.
        config.set(["instances", "again", "host"], "soong-dev");
    });
    let asked = |host: &str| super::ssh(&sandbox, "ssh", &["-TG", "--", host]);
    asked("soong-late").stdout_has("\nhostname 192.0.2.77\n").run();
    let include = sandbox.path("home/.config/soong/ssh_config");
    let text = fs::read_to_string(&include).unwrap();
    assert!(text.contains("soong-ssh config --refresh"), "{text}");
    sandbox.write(&include, text.replace("soong-ssh config", "gone config"));
    asked("soong-late").stdout_has("\nhostname 192.0.2.77\n").stderr_has("").run();
}

#[test]
fn ssh_is_told_the_same_as_by_soong_itself() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["ssh", "options"], "-F none -C -J bastion -o ServerAliveInterval=9");
    });
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("").stderr_has("").run();
    let by_name = super::ssh(&sandbox, "ssh", &["-TG", "soong-dev"]).stdout_has("").run().stdout;
    let by_soong = sandbox.soong(["ssh", "-TG"]).stdout_has("").run().stdout;
    // The word of OpenSSH 10.0 for what -C sets.
    let by_soong = by_soong.replace("\ncompression UNKNOWN\n", "\ncompression yes\n");
    // Only what the file and its own name add may differ.
    let differs =
        |line: &&str| !["host ", "controlpath ", "controlmaster "].iter().any(|key| line.starts_with(key));
    let lines = |text: &str| text.lines().filter(differs).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&by_name), lines(&by_soong));
}
