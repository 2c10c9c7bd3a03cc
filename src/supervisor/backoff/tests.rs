//! When tries begin, in virtual time.

use super::*;

/// The milliseconds at which attempts begin that fail for `kind` one after the other, up to `end` seconds.
fn attempts(kind: Kind, chance: f64, end: u64) -> Vec<u64> {
    let lost = Instant::now();
    let mut backoff = Backoff::new(lost);
    backoff.lose(Duration::from_secs(100), lost);
    let (mut now, mut begun) = (lost, Vec::new());
    while now.duration_since(lost).as_secs() < end {
        now += backoff.pause(kind, Duration::ZERO, chance, now);
        begun.push(milliseconds(now.duration_since(lost)));
        backoff.begin(now);
        backoff.fail(kind);
        backoff.retry();
    }
    begun
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

fn most_within_30_s(times: &[u64]) -> usize {
    let after = |start: u64| times.iter().filter(|time| (start..start + 30_000).contains(*time)).count();
    times.iter().map(|start| after(*start)).max().unwrap()
}

/// When a server is reached that is away for `away`.
fn reached(away: u64, chance: f64) -> u64 {
    attempts(Kind::Refused, chance, 200).into_iter().find(|time| *time >= away).unwrap()
}

#[test]
fn no_firewall_sees_too_many_connections() {
    for kind in [Kind::Refused, Kind::HungUp, Kind::Lost, Kind::Other] {
        for chance in [0.0, 0.5, 1.0] {
            let times = attempts(kind, chance, 300);
            assert!(most_within_30_s(&times) <= 5, "{kind:?}: {times:?}");
        }
    }
}

/// A server that is restarted right after a start that waited for it, as by cloud-init.
#[test]
fn what_a_start_did_to_wait_for_the_server_counts() {
    let start = Instant::now();
    let ages = [20, 17, 10, 0].map(Duration::from_secs);
    let mut backoff = Backoff::after(&ages, start);
    let mut sent: Vec<u64> = ages.iter().map(|age| 20_000 - milliseconds(*age)).collect();
    let mut connect = |backoff: &mut Backoff, now: Instant| {
        backoff.begin(now);
        sent.push(20_000 + milliseconds(now.duration_since(start)));
    };
    connect(&mut backoff, start);
    let mut now = start + USABLE;
    backoff.lose(USABLE, now);
    for _ in 0..10 {
        now += backoff.pause(Kind::Lost, Duration::ZERO, 0.0, now);
        connect(&mut backoff, now);
        backoff.fail(Kind::Refused);
        backoff.retry();
    }
    assert!(most_within_30_s(&sent) <= CONNECTIONS_MAX, "{sent:?}");
    assert!(sent[5] < 32_000, "{sent:?}");
}

#[test]
fn a_server_that_is_back_soon_is_reached_soon() {
    for (away, at_most) in
        [(400, 700), (2_000, 2_700), (6_000, 7_700), (13_000, 17_100), (40_000, 46_000), (90_000, 106_000)]
    {
        for chance in [0.0, 0.5, 1.0] {
            assert!(reached(away, chance) <= at_most, "{away}: {}", reached(away, chance));
        }
    }
}

#[test]
fn the_wait_doubles_up_to_its_limit() {
    let times = attempts(Kind::Lost, 0.5, 10);
    assert_eq!(times[..5], [0, 500, 1500, 3500, 7500]);
    let pause = |failures, chance| {
        let backoff = Backoff { failures, ..Backoff::new(Instant::now()) };
        backoff.pause(Kind::Lost, Duration::ZERO, chance, Instant::now())
    };
    assert_eq!(pause(u32::MAX, 0.5), RETRY_MAX);
    assert_eq!(pause(u32::MAX, 1.0), RETRY_MAX);
    assert_eq!([pause(2, 0.0), pause(2, 1.0)], [Duration::from_millis(800), Duration::from_millis(1200)]);
}

#[test]
fn a_network_that_is_away_costs_nothing() {
    let times = attempts(Kind::Unreachable, 0.5, 100);
    assert_eq!(times[..6], [0, 500, 1500, 3500, 7500, 15_500]);
    assert_eq!(times[7] - times[6], 15_000);
}

#[test]
fn a_link_that_could_be_used_makes_up_for_failures() {
    let after = |failures, up| {
        let now = Instant::now();
        let mut backoff = Backoff { failures, ..Backoff::new(now) };
        backoff.lose(Duration::from_secs(up), now);
        backoff.failures
    };
    assert_eq!([after(7, 0), after(7, 1), after(7, 2), after(7, 29), after(7, 30)], [7, 7, 1, 1, 0]);
    assert_eq!(after(0, 6), 0);
}

/// Outcome of a second ssh.
#[derive(Clone, Copy)]
enum Second {
    TakesOver,
    IsNotNeeded,
    Fails(Kind),
}

/// Returns the milliseconds at which connections begin of a tunnel whose link falls silent `faults` times, each time as soon
/// as it is up. A link without a second ssh ends `patience` later.
fn connections_of_a_silent_link(faults: usize, second: Second, patience: Duration) -> Vec<u64> {
    let start = Instant::now();
    let mut backoff = Backoff::new(start);
    let (mut now, mut begun) = (start, Vec::new());
    let mut connect = |backoff: &mut Backoff, now: Instant, is_second: bool| {
        begun.push(milliseconds(now.duration_since(start)));
        if is_second { backoff.start_second(now) } else { backoff.begin(now) }
    };
    connect(&mut backoff, now, false);
    backoff.succeed();
    for _ in 0..faults {
        let up = now;
        now += Duration::from_millis(2500);
        if backoff.may_start_second(now) {
            connect(&mut backoff, now, true);
            match second {
                Second::TakesOver => {
                    backoff.second_took_over();
                    continue;
                }
                Second::IsNotNeeded => {}
                Second::Fails(kind) => backoff.second_failed(kind),
            }
        }
        now += patience;
        backoff.lose(now - up, now);
        now += backoff.pause(Kind::Lost, Duration::ZERO, 0.0, now);
        connect(&mut backoff, now, false);
        backoff.succeed();
    }
    begun
}

#[test]
fn a_link_that_falls_silent_again_and_again_makes_few_connections() {
    let failures =
        [Kind::HungUp, Kind::Refused, Kind::AuthenticationRefused, Kind::NeedsAnswer].map(Second::Fails);
    for second in [Second::TakesOver, Second::IsNotNeeded].into_iter().chain(failures) {
        for patience in [0, 1, 10] {
            let times = connections_of_a_silent_link(20, second, Duration::from_secs(patience));
            assert!(most_within_30_s(&times) <= CONNECTIONS_MAX, "{patience}: {times:?}");
        }
    }
}

/// A link that is lost now and then is not held back by those before.
#[test]
fn links_that_come_up_within_the_budget_are_not_held_back() {
    let mut now = Instant::now();
    let mut backoff = Backoff::new(now);
    for _ in 0..20 {
        assert_eq!(backoff.pause(Kind::Lost, Duration::ZERO, 0.5, now), Duration::ZERO);
        backoff.begin(now);
        backoff.succeed();
        now += Duration::from_secs(7);
        backoff.lose(Duration::from_secs(7), now);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_second_ssh_that_needs_the_user_is_not_tried_again() {
    type Outcome = fn(&mut Backoff);
    let now = Instant::now();
    let much_later = now + Duration::from_secs(100_000);
    let table: [(Outcome, bool); 5] = [
        (|backoff| backoff.second_failed(Kind::NeedsAnswer), false),
        (|backoff| backoff.second_failed(Kind::AuthenticationRefused), false),
        // A key to touch, for example.
        (Backoff::second_asked, false),
        (|backoff| backoff.second_failed(Kind::HungUp), true),
        (Backoff::second_took_over, true),
    ];
    for (outcome, expected) in table {
        let mut backoff = Backoff::new(now);
        backoff.start_second(now);
        outcome(&mut backoff);
        assert_eq!(backoff.may_start_second(much_later), expected);
    }
}

#[test]
fn a_login_that_is_refused_is_tried_a_few_times() {
    let denied = Kind::AuthenticationRefused;
    let now = Instant::now();
    let mut backoff = Backoff::new(now);
    backoff.lose(STEADY, now);
    let mut pauses = Vec::new();
    loop {
        backoff.begin(now);
        backoff.fail(denied);
        if backoff.gives_up(denied) {
            break;
        }
        backoff.retry();
        pauses.push(backoff.pause(denied, Duration::ZERO, 0.5, now).as_secs());
    }
    assert_eq!(pauses, [5, 15, 35]);
    assert!(backoff.gives_up(Kind::HostKeyChanged) && !backoff.gives_up(Kind::Lost));
}

#[test]
fn a_host_that_falls_silent_is_spared() {
    let start = Instant::now();
    let mut backoff = Backoff::new(start);
    backoff.lose(STEADY, start);
    assert!(!backoff.waits_for_answer(Kind::TimedOut, start), "the network may be away");
    assert!(backoff.waits_for_answer(Kind::TimedOut, start + OUTAGE));
    for _ in 0..CONNECTIONS_MAX {
        backoff.begin(start);
        backoff.fail(Kind::Refused);
    }
    backoff.fail(Kind::TimedOut);
    assert!(backoff.waits_for_answer(Kind::TimedOut, start));
    let (mut now, mut sent) = (start, vec![0; CONNECTIONS_MAX]);
    for number in 0..8 {
        let port_probe = backoff.port_probe(number, now);
        now += port_probe.pause;
        backoff.spend_on(port_probe, now);
        sent.extend(std::iter::repeat_n(milliseconds(now.duration_since(start)), port_probe.cost));
    }
    // One that is answered is followed by an attempt.
    sent.push(milliseconds(now.duration_since(start)));
    assert!(most_within_30_s(&sent) <= CONNECTIONS_MAX, "{sent:?}");
    assert_eq!(backoff.port_probe(8, now).pause, SPARSE);
    backoff.start_over(now);
    assert!(!backoff.is_sparing(now));
}

/// fail2ban counts refused logins in ten minutes; OpenSSH 9.8 counts in shorter times.
#[test]
fn a_client_that_never_gives_up_makes_few_attempts_while_the_user_must_mend_something() {
    let mut backoff = Backoff::new(Instant::now());
    let pauses: Vec<u64> = (0..5).map(|_| backoff.block().as_secs()).collect();
    assert_eq!(pauses, [5, 35, 300, 300, 300]);
    for first in 0..pauses.len() {
        let mut time = 0;
        let within = pauses[first..].iter().take_while(|pause| {
            time += **pause;
            time < 600
        });
        assert!(within.count() + 1 < 5);
    }
    backoff.succeed();
    assert_eq!(backoff.block().as_secs(), 5);
}
