//! The daemon ends its machine through the real provider for Lambda Cloud, against a stand-in for its API.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{PROVIDER, rent_from};
use crate::support::lambda_cloud::{Failure, KEY, LambdaCloud};
use crate::support::provider::Answer;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::{statusd, wait};

/// A running daemon.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write_private(sandbox: &Sandbox, name: &str, text: &str) {
    let file = sandbox.path(name);
    sandbox.write(&file, text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_instance_is_terminated_as_soon_as_its_provider_can() {
    let (cloud, mut sandbox) = (LambdaCloud::start(), Sandbox::new());
    let id = rent_from(&cloud, &mut sandbox);

    // The machine's own files, beside each other as in /etc/soong; the key comes later.
    let here = sandbox.path("");
    let here = here.display();
    let config = format!(
        "token = \"0123456789abcdef0123456789abcdef\"\nlisten = \"127.0.0.1:0\"\ngpu = false\nutmp = \"{here}/utmp\"\n\
         state = \"{here}/state\"\nlease = \"1s\"\nend = {{ terminate = \"lambda\" }}\ninstance-id = \"{id}\"\n"
    );
    sandbox.write(&sandbox.path("utmp"), "");
    write_private(&sandbox, "etc/statusd.toml", &config);
    write_private(&sandbox, "etc/config.toml", &format!("[lambda]\nbase-url = \"{}\"\n", cloud.url()));
    let log = fs::File::create(sandbox.path("log")).unwrap();
    let mut command = Command::new(statusd::program());
    command.arg("--config").arg(sandbox.path("etc/statusd.toml")).stdin(Stdio::null()).stderr(log);
    command
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", Path::new(PROVIDER).parent().unwrap().display()));
    let _daemon = Daemon(command.spawn().unwrap());
    let log = || fs::read_to_string(sandbox.path("log")).unwrap();
    wait::until_true("a refusal without a key", || log().contains("attempt 1 to end the machine failed: "));
    assert!(log().contains("soong-provider-lambda failed: unauthorized: "), "{}", log());
    assert_eq!(cloud.counts().1, 0);

    cloud.fail_terminate(&[Failure::Garbled]);
    write_private(&sandbox, "etc/credentials.toml", &format!("[lambda]\napi-key = \"{KEY}\"\n"));
    wait::until_true("the end", || log().contains(" succeeded"));
    assert!(log().contains("failed: unknown-outcome: "), "{}", log());
    let list = Answer::of(&Run::new(&sandbox, Path::new(PROVIDER), ["list"]), "");
    assert_eq!(list.json["instances"][0]["status"], "terminating", "{list:?}");
    assert!(!log().contains(KEY), "{}", log());
}
