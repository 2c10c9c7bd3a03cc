//! The programs that learn of the hosts: ssh, scp, sftp and rsync themselves.

use std::fs;

use super::{connected, path, ssh};
use crate::support::run::Run;
use crate::support::tools::tool;

#[test]
fn they_reach_the_instance_by_its_name_and_over_its_tunnel() {
    let (instance, sandbox) = connected(true);
    sandbox.soong(["ssh", "config", "--install"]).stdout_has("ssh soong-dev").stderr_has("").run();
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let [source, there, back] = ["source", "there", "back"].map(|name| sandbox.path("tmp").join(name));
    sandbox.write(&source, &bytes);
    let remote = format!("soong-dev:{}", there.display());
    let config = sandbox.home().join(".ssh/config");
    let shell = format!("{} -F {}", path(&tool("ssh")), path(&config));
    for logins in [1, 5] {
        ssh(&sandbox, "ssh", &["soong-dev", "echo hello; exit 37"]).stdout("hello\n").code(37).run();
        ssh(&sandbox, "scp", &["-q", path(&source), &remote]).run();
        ssh(&sandbox, "scp", &["-q", &remote, path(&back)]).run();
        assert_eq!(fs::read(&back).unwrap(), bytes);
        fs::remove_file(&there).unwrap();
        fs::remove_file(&back).unwrap();
        Run::new(&sandbox, &tool("rsync"), ["-a", "-e", &shell, path(&source), &remote]).run();
        assert_eq!(fs::read(&there).unwrap(), bytes);
        fs::remove_file(&there).unwrap();
        assert_eq!(instance.sshd.logins(), logins);
        // The second time over connections of their own.
        sandbox.tunnel(["stop"]).stdout_has("").run();
    }
}
