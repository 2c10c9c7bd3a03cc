//! Checks that a tunnel is never reported as up while it is not. During random faults, three witnesses are
//! compared with one another: `soong tunnel status`, the prompt file, and a request.
//!
//! A witness may be wrong for as long as the keepalive needs to detect that a silent link is dead.

mod faults;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::faults::{Fault, Scene};
use self::witness::{Sample, Witness};
use crate::support::config::path;
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::ports;
use crate::support::sandbox::Sandbox;
use crate::support::ssh_config::IGNORED;
use crate::support::sshd::Options;

/// Time that a busy machine may add to every bound.
const SLACK: Duration = Duration::from_secs(6);
/// How long a tunnel may take to be back after a fault: the longest wait between two attempts, and an attempt.
const RECOVERY: Duration = Duration::from_secs(40);

/// How the tunnel came through one fault.
struct Outcome {
    fault: Fault,
    /// When it began, after the beginning.
    begun: Duration,
    /// From the end of the fault until a request that was made then had its answer; `None` if it never had.
    recovery: Option<Duration>,
}

/// Runs for `time` with the faults that `seed` makes. Returns true if every report was true and the tunnel
/// came back each time.
pub fn run(time: Duration, seed: u64, keepalive: u32) -> bool {
    println!("truth: {} s, --seed {seed} --keepalive {keepalive}", time.as_secs());
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Sandbox::new();
    let instance = Instance::with(with_banner(&place, &mut random));
    let network = Network::to(instance.sshd.port);
    let mut sandbox = Sandbox::with(&instance);
    let taken = ports::free();
    let _holders = ports::occupy(taken);
    let user_config = user_config(&sandbox, taken, &mut random);
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", network.port);
        config.set(["ssh", "options"], format!("-F {}", path(&user_config)));
        config.set(["ssh", "keepalive"], i64::from(keepalive)).set(["ssh", "connect-timeout"], 10);
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    let sandbox = Arc::new(sandbox);
    let witness = Witness::start(Arc::clone(&sandbox));
    let mut scene = Scene { instance, network, sandbox, random };
    let outcomes = suffer(&mut scene, time);
    let samples = witness.end();
    // The fourth unanswered question ends a link.
    let limit = Duration::from_secs(4 * u64::from(keepalive)) + SLACK;
    report(&samples, &outcomes, limit)
}

/// A server with a banner of up to 3,000 lines.
fn with_banner(place: &Sandbox, random: &mut fastrand::Rng) -> Options {
    let lines = random.usize(..3000);
    let banner =
        "channel 3: open failed: administratively prohibited: Permission denied (publickey).\n".repeat(lines);
    println!("  a banner of {lines} lines");
    let file = place.path("banner");
    place.write(&file, banner);
    Options::default().line(&format!("Banner {}", path(&file)))
}

/// A user's `ssh_config` with some of what is none of a tunnel's business, where the port `taken` is.
fn user_config(sandbox: &Sandbox, taken: u16, random: &mut fastrand::Rng) -> PathBuf {
    let drawn: Vec<&str> = IGNORED.iter().copied().filter(|_| random.u8(..3) == 0).collect();
    println!("  ssh_config: {}", drawn.join("; ").replace('\n', "; "));
    let text =
        drawn.join("\n").replace("TAKEN", &taken.to_string()).replace("ROOT", path(&sandbox.path("tmp")));
    let file = sandbox.path("home/ssh_config");
    sandbox.write(&file, format!("Host *\n{text}\n"));
    file
}

/// Makes one fault after the other for `time`.
fn suffer(scene: &mut Scene, time: Duration) -> Vec<Outcome> {
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    while begun.elapsed() < time {
        let fault = Fault::any(&mut scene.random);
        let at = begun.elapsed();
        fault.happen(scene);
        outcomes.push(Outcome { fault, begun: at, recovery: recovery(scene) });
        // Often the next one comes when the last one is not over for the tunnel.
        sleep(Duration::from_millis(scene.random.u64(0..2000)));
    }
    outcomes
}

/// How long a request that is made now waits for its answer. One that was connected before the link was found to
/// be dead fails, and is made again, as programs do.
fn recovery(scene: &Scene) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < RECOVERY {
        if witness::request(scene.sandbox.config.local[0], Duration::from_secs(5)) {
            return Some(begun.elapsed());
        }
        sleep(Duration::from_millis(20));
    }
    None
}

fn report(samples: &[Sample], outcomes: &[Outcome], limit: Duration) -> bool {
    for kind in Fault::ALL {
        let of_kind: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.fault == kind).collect();
        let mut times: Vec<Duration> = of_kind.iter().filter_map(|outcome| outcome.recovery).collect();
        times.sort();
        if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
            let missing = of_kind.len() - times.len();
            println!(
                "  {:30} {:4} times; usable after {median:.1?} (median), {longest:.1?} (longest), never: {missing}",
                kind.name(),
                of_kind.len(),
            );
        }
    }
    let recovered = outcomes.iter().all(|outcome| outcome.recovery.is_some());
    let failed = samples.iter().filter(|sample| !sample.answered).count();
    println!("  {} samples, {failed} with a request that failed", samples.len());
    let status = tell("status", samples, outcomes, limit, |sample| sample.status);
    let prompt = tell("the prompt", samples, outcomes, limit, |sample| sample.prompt);
    recovered && status && prompt
}

/// Tells how long `claim` was wrong at a stretch; whether that was within `limit`.
fn tell(
    who: &str,
    samples: &[Sample],
    outcomes: &[Outcome],
    limit: Duration,
    claim: impl Fn(&Sample) -> bool,
) -> bool {
    let lies = stretches(samples, claim);
    let longest = lies.iter().map(|(_, length)| *length).max().unwrap_or_default();
    let total: Duration = lies.iter().map(|(_, length)| *length).sum();
    let over: Vec<_> = lies.iter().filter(|(_, length)| *length > limit).collect();
    println!(
        "  {who} said up while requests failed: {} times, {total:.1?} in all, {longest:.1?} at most; longer than \
         {limit:?}: {}",
        lies.len(),
        over.len()
    );
    for (begun, length) in &over {
        let fault = outcomes.iter().rev().find(|outcome| outcome.begun <= *begun);
        let fault = fault.map_or("no fault", |outcome| outcome.fault.name());
        println!("    from {begun:.1?} on for {length:.1?}: {fault}");
    }
    over.is_empty()
}

/// Where `claim` was wrong in one sample after the other: when that began and how long it lasted.
fn stretches(samples: &[Sample], claim: impl Fn(&Sample) -> bool) -> Vec<(Duration, Duration)> {
    let mut found = Vec::new();
    let mut begun: Option<(Duration, Duration)> = None;
    for sample in samples {
        if claim(sample) && !sample.answered {
            let first = begun.map_or(sample.at, |(first, _)| first);
            begun = Some((first, sample.until.saturating_sub(first)));
        } else {
            found.extend(begun.take());
        }
    }
    found.extend(begun);
    found
}
