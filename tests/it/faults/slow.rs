//! Links that are slow or stand still for a while, which are not dead: what they carry arrives whole.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::behind;
use super::link::Pending;
use crate::support::curl::curl;
use crate::support::instance::Instance;
use crate::support::network::{Network, Shape, Shapes};
use crate::support::sandbox::Sandbox;
use crate::support::service::{Pattern, digest};
use crate::support::wait;

/// About 500 kbit/s, and a queue that takes longer to empty than a check waits for its answer.
const SLOW: Shape = Shape { rate: 64 << 10, queue: 512 << 10 };
/// Takes 8 s at that rate, where a check begins after 1 s and ends a busy link after 5 s without a sign of life.
const LENGTH: u64 = 512 << 10;

/// A download in the background.
struct Download<'a> {
    curl: Child,
    file: &'a Path,
}

impl<'a> Download<'a> {
    fn start(url: &str, file: &'a Path) -> Self {
        let mut command = curl();
        command.arg("--output").arg(file).arg(url).stderr(Stdio::piped());
        Self { curl: command.spawn().unwrap(), file }
    }

    /// Waits until more than `length` bytes have arrived.
    fn wait_for(&self, length: u64) {
        wait::until_true("a part of the download", || {
            fs::metadata(self.file).is_ok_and(|file| file.len() > length)
        });
    }

    /// Asserts that all `length` bytes have arrived.
    #[track_caller]
    fn assert_complete(self, length: u64) {
        let output = self.curl.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut file = fs::File::open(self.file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), length);
        assert_eq!(digest(&mut file).unwrap(), digest(&mut Pattern::new(length)).unwrap());
    }
}

fn start_behind(shapes: Shapes) -> (Instance, Network, Sandbox) {
    let instance = Instance::start();
    let network = Network::shaped(instance.sshd.port, shapes);
    let sandbox = behind(&network, &instance);
    sandbox.start(&instance);
    (instance, network, sandbox)
}

#[test]
fn a_request_behind_a_download_over_a_slow_link_waits_for_its_turn() {
    let (_instance, network, sandbox) = start_behind(Shapes { down: Some(SLOW), up: None });
    let file = sandbox.path("download");
    let download = Download::start(&sandbox.url(0, &format!("bytes/{LENGTH}")), &file);
    download.wait_for(0);
    let request = Pending::to(&sandbox.url(1, "id"));
    assert_eq!(request.answer(), "n8n");
    download.assert_complete(LENGTH);
    assert_eq!(network.connections(), 1);
}

/// Nothing comes back while it goes up: only the kernel sees that the far end acknowledges.
#[test]
fn an_upload_over_a_slow_link_is_slow_and_not_lost() {
    let shape = Shape { queue: 4 << 10, ..SLOW };
    let (_instance, network, sandbox) = start_behind(Shapes { up: Some(shape), down: None });
    let upload = Pending::with_body(&sandbox.url(1, "digest"), &sandbox.path("body"), LENGTH);
    assert_eq!(upload.answer(), format!("{LENGTH} {}", digest(&mut Pattern::new(LENGTH)).unwrap()));
    assert_eq!(network.connections(), 1);
    sandbox.tunnel(["logs"]).stdout_has(": the link is slow\n").run();
}

/// As long as an idle link would be given, and longer.
#[test]
fn a_stall_does_not_cut_the_stream_that_waits_for_its_end() {
    const STALL: Duration = Duration::from_secs(8);
    let instance = Instance::start();
    let shapes = Shapes { down: Some(Shape { rate: 1 << 20, ..SLOW }), up: None };
    let network = Network::shaped(instance.sshd.port, shapes);
    let mut sandbox = behind(&network, &instance);
    // The request is doubted after 2 s; then an idle link has 4 s, and a busy one 10 s.
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 2);
    });
    sandbox.start(&instance);
    let (length, file) = (2 << 20, sandbox.path("download"));
    let download = Download::start(&sandbox.url(0, &format!("bytes/{length}")), &file);
    download.wait_for(1 << 18);
    network.fall_silent();
    let request = Pending::to(&sandbox.url(1, "id"));
    sleep(STALL);
    network.speak();
    assert_eq!(request.answer(), "n8n");
    download.assert_complete(length);
    // Another ssh may have started beside the first. It was not needed.
    let logs = sandbox.tunnel(["logs"]).stdout_has("up: ").run().stdout;
    assert!(!logs.contains("takes over") && !logs.contains("link lost"), "{logs}");
}
