use proptest::prelude::*;

use super::*;
use crate::activity::{Load, Observation};
use crate::clock::{Anchor, Continuation, Reading, rfc3339};
use crate::why::{explain, span};

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Policy {
    Policy { lease: MINUTE * 240, limit: MINUTE * 480, idle: Some(MINUTE * 30) }
}

fn at(minutes: u32) -> Moment {
    Moment(0).after(MINUTE * minutes)
}

fn busy() -> Usage {
    Usage::InUse("GPU 0 at 80 %".into())
}

/// Steps `lease` each minute from `from` to `to`; returns what was done, with the minute.
fn play(policy: &Policy, lease: &mut Lease, usage: &Usage, from: u32, to: u32) -> Vec<(u32, Action)> {
    (from..=to).filter_map(|minute| Some((minute, lease.step(policy, usage, at(minute))?))).collect()
}

fn plan(minutes: u32, reason: Reason) -> Action {
    Action::Warn(Plan { at: at(minutes), reason })
}

#[test]
fn an_unused_machine_is_warned_twice_and_ends_at_its_idle_limit() {
    let mut lease = Lease::new(&policy(), at(0));
    let done = play(&policy(), &mut lease, &Usage::Quiet, 0, 300);
    let expected =
        [(15, plan(30, Reason::Idle)), (25, plan(30, Reason::Idle)), (30, Action::End(Reason::Idle))];
    assert_eq!(done, expected);
    assert_eq!(lease.phase, Phase::Ending(Reason::Idle));
}

#[test]
fn a_busy_machine_ends_with_its_lease_and_no_sooner() {
    let mut lease = Lease::new(&policy(), at(0));
    let done = play(&policy(), &mut lease, &busy(), 0, 300);
    let expected =
        [(225, plan(240, Reason::Lease)), (235, plan(240, Reason::Lease)), (240, Action::End(Reason::Lease))];
    assert_eq!(done, expected);
}

#[test]
fn extensions_stop_at_the_hard_limit_and_warnings_come_again() {
    let mut lease = Lease::new(&policy(), at(0));
    assert_eq!(play(&policy(), &mut lease, &busy(), 0, 230), [(225, plan(240, Reason::Lease))]);
    let extension = lease.extend(&policy(), MINUTE * 90, at(230));
    assert_eq!(extension, Extension { granted: MINUTE * 90, end: at(330), is_capped: false });
    let extension = lease.extend(&policy(), MINUTE * 600, at(230));
    assert_eq!(extension, Extension { granted: MINUTE * 150, end: at(480), is_capped: true });
    let extension = lease.extend(&policy(), MINUTE * 60, at(231));
    assert_eq!(extension, Extension { granted: Duration::ZERO, end: at(480), is_capped: true });
    let done = play(&policy(), &mut lease, &busy(), 231, 500);
    let expected =
        [(465, plan(480, Reason::Limit)), (475, plan(480, Reason::Limit)), (480, Action::End(Reason::Limit))];
    assert_eq!(done, expected);
}

#[test]
fn keep_and_requests_put_off_the_idle_limit_only() {
    let mut lease = Lease::new(&policy(), at(0));
    lease.keep(at(120), at(10));
    assert_eq!(lease.idle_end(&policy()), Some(at(120)));
    let done = play(&policy(), &mut lease, &Usage::Quiet, 10, 130);
    assert_eq!(done.last(), Some(&(120, Action::End(Reason::Idle))));
    let mut lease = Lease::new(&policy(), at(0));
    lease.keep(at(5000), at(10));
    let done = play(&policy(), &mut lease, &Usage::Quiet, 10, 300);
    assert_eq!(done.last(), Some(&(240, Action::End(Reason::Lease))));
    let mut lease = Lease::new(&policy(), at(0));
    lease.touch("request", at(29));
    assert_eq!(
        play(&policy(), &mut lease, &Usage::Quiet, 29, 100).last(),
        Some(&(59, Action::End(Reason::Idle)))
    );
}

#[test]
fn without_an_idle_limit_only_the_lease_counts() {
    let policy = Policy { idle: None, ..policy() };
    let mut lease = Lease::new(&policy, at(0));
    assert_eq!(
        play(&policy, &mut lease, &Usage::Quiet, 0, 300).last(),
        Some(&(240, Action::End(Reason::Lease)))
    );
}

#[test]
fn a_short_idle_limit_does_not_warn_at_every_pause() {
    let policy = Policy { idle: Some(MINUTE * 6), ..policy() };
    let mut lease = Lease::new(&policy, at(0));
    let done = play(&policy, &mut lease, &Usage::Quiet, 0, 10);
    let expected = [(3, plan(6, Reason::Idle)), (5, plan(6, Reason::Idle)), (6, Action::End(Reason::Idle))];
    assert_eq!(done, expected);
}

#[test]
fn a_reboot_leaves_time_to_react_and_a_new_start_gets_a_new_lease() {
    let lease = Lease::new(&policy(), at(0)).after_reboot(&policy(), at(600));
    assert_eq!(lease.lease_plan(&policy()), Plan { at: at(615), reason: Reason::Lease });
    assert_eq!(lease.idle_end(&policy()), Some(at(630)));
    let lease = Lease::new(&policy(), at(0)).after_reboot(&policy(), at(20));
    assert_eq!(lease.lease_plan(&policy()).at, at(240));
    let ended = Lease { phase: Phase::Ending(Reason::Idle), ..Lease::new(&policy(), at(0)) };
    let lease = ended.after_reboot(&policy(), at(600));
    assert_eq!((lease.phase, lease.lease_plan(&policy()).at), (Phase::Running, at(840)));
}

#[test]
fn a_crash_does_not_cut_use_short() {
    let mut lease = Lease::new(&policy(), at(0));
    lease.step(&policy(), &busy(), at(20));
    // In use at the last save: perhaps until the crash, which may be up to a minute later.
    let after = |now: Moment| lease.clone().after_restart(at(20), now);
    let second = at(20).after(Duration::from_secs(1));
    assert_eq!((after(second).last_use, after(at(25)).last_use), (second, at(21)));
    // A restart is no use, nor is the next one.
    assert_eq!(after(second).after_restart(second, at(22)).last_use, second);
    lease.step(&policy(), &Usage::Quiet, at(21));
    assert_eq!(lease.after_restart(at(21), at(25)).last_use, at(20));
}

#[test]
fn a_shorter_limit_in_the_configuration_counts_at_once() {
    let mut lease = Lease::new(&policy(), at(0));
    lease.extend(&policy(), MINUTE * 240, at(1));
    let shorter = Policy { limit: MINUTE * 300, ..policy() };
    assert_eq!(lease.lease_plan(&shorter), Plan { at: at(300), reason: Reason::Limit });
    assert_eq!(lease.extend(&shorter, MINUTE, at(2)).granted, Duration::ZERO);
}

/// Something that happens to the machine.
#[derive(Debug, Clone)]
enum Event {
    Nothing,
    Extend(u32),
    Keep(u32),
    Request,
    /// The daemon is restarted.
    Restart,
    /// The machine is down for some minutes.
    Reboot(u32),
    /// The machine is suspended for some minutes.
    Suspend(u32),
    /// The wall clock is set, forwards or back.
    StepClock(i64),
}

#[derive(Debug, Clone)]
struct Scene {
    /// How long after the scene before, in seconds.
    pause: u32,
    observation: Observation,
    event: Event,
}

fn scene() -> impl Strategy<Value = Scene> {
    let quiet = || Observation { gpu: Load::Quiet, sessions: Load::Quiet, models: Load::Quiet };
    let observation = prop_oneof![
        4 => Just(quiet()),
        1 => Just(Observation { gpu: Load::Busy("GPU 0 at 80 %".into()), ..quiet() }),
        1 => Just(Observation { models: Load::Unknown("no answer".into()), ..quiet() }),
    ];
    let event = prop_oneof![
        20 => Just(Event::Nothing),
        2 => (1u32..300).prop_map(Event::Extend),
        2 => (1u32..300).prop_map(Event::Keep),
        2 => Just(Event::Request),
        2 => Just(Event::Restart),
        1 => (0u32..200).prop_map(Event::Reboot),
        1 => (0u32..200).prop_map(Event::Suspend),
        2 => (-10_000_000i64..10_000_000).prop_map(Event::StepClock),
    ];
    (1u32..900, observation, event).prop_map(|(pause, observation, event)| Scene {
        pause,
        observation,
        event,
    })
}

/// Model of a machine that knows the true time, in seconds.
#[derive(Debug)]
struct Model {
    lease_end: u64,
    limit: u64,
    keep: u64,
    last_use: u64,
    not_before: u64,
}

impl Model {
    /// When the machine ends, and why, if its use stays as it is. Where two ends come at once, the lease counts.
    fn end(&self, is_used: bool, idle: u64) -> (u64, Reason) {
        let lease = self.lease_end.min(self.limit).max(self.not_before);
        let idle_end = (self.last_use + idle).max(self.keep);
        if !is_used && idle_end < lease {
            (idle_end, Reason::Idle)
        } else {
            (lease, if self.lease_end < self.limit { Reason::Lease } else { Reason::Limit })
        }
    }

    /// The sentence that is true at `now`, when the wall clock shows `wall`.
    fn why(&self, observation: &Observation, idle: u64, now: u64, wall: u64) -> String {
        let time = |at: u64| rfc3339((wall + at - now) * 1000);
        let in_words = |seconds: u64| span(Duration::from_secs(seconds));
        let state = match (&observation.gpu, &observation.models) {
            (Load::Busy(what), _) => format!("in use: {what}"),
            (_, Load::Unknown(reason)) => {
                format!("in use: model servers unknown, which counts as use: {reason}")
            }
            _ if self.keep > now => format!("kept until {}", time(self.keep)),
            _ => format!("idle for {}", in_words(now - self.last_use)),
        };
        let (at, reason) = self.end(observation.usage() != Usage::Quiet, idle);
        let when = format!("in {} ({})", in_words(at - now), time(at));
        match reason {
            Reason::Lease => format!("{state}; the lease ends it {when}"),
            Reason::Limit => format!("{state}; the hard limit ends it {when}"),
            Reason::Idle => format!("{state}; it ends {when} unless it is used"),
        }
    }
}

/// The clocks of a machine that a scenario turns.
struct Clocks {
    boot: u32,
    booted: u64,
    wall_offset: i64,
}

impl Clocks {
    fn reading(&self, truth: u64) -> Reading {
        let wall = i64::try_from(truth).unwrap() + self.wall_offset;
        Reading {
            boot_id: self.boot.to_string(),
            boottime: (truth - self.booted) * 1000,
            wall: u64::try_from(wall).unwrap() * 1000,
        }
    }
}

/// Asserts that `lease` ends at `at` for `reason` if it is used as now until then, and not a second before.
fn assert_ends(policy: &Policy, lease: &Lease, usage: &Usage, at: u64, reason: Reason) {
    let step = |seconds: u64| lease.clone().step(policy, usage, Moment(seconds * 1000));
    assert_eq!(step(at), Some(Action::End(reason)), "at {at} s");
    assert!(!matches!(step(at - 1), Some(Action::End(_))), "a second before {at} s");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_scenario_ends_as_the_model_says(
        scenes in proptest::collection::vec(scene(), 1..120),
        lease in 20u64..300,
        more in 0u64..300,
        idle in 5u64..60,
    ) {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        let policy = Policy { lease: minutes(lease), limit: minutes(lease + more), idle: Some(minutes(idle)) };
        let mut truth = 0;
        let mut clocks = Clocks { boot: 1, booted: 0, wall_offset: 1_700_000_000 };
        let mut anchor = Anchor::first(&clocks.reading(truth));
        let mut subject = Lease::new(&policy, Moment(0));
        let mut model = Model {
            lease_end: lease * 60, limit: (lease + more) * 60, keep: 0, last_use: 0, not_before: 0,
        };
        for scene in scenes {
            truth += u64::from(scene.pause);
            if let Event::Reboot(down) = scene.event {
                truth += u64::from(down) * 60;
                clocks.boot += 1;
                clocks.booted = truth;
                model.last_use = truth;
                model.not_before = truth + (15 * 60).min(lease * 60);
            }
            if let Event::Suspend(asleep) = scene.event {
                truth += u64::from(asleep) * 60;
            }
            if let Event::StepClock(step) = scene.event {
                clocks.wall_offset = 1_700_000_000 + step;
            }
            let (now, continuation) = anchor.advance(&clocks.reading(truth));
            prop_assert_eq!(now, Moment(truth * 1000), "time goes on as it does");
            match scene.event {
                Event::Extend(length) => {
                    let granted = subject.extend(&policy, minutes(length.into()), now).granted;
                    let end = (model.lease_end + u64::from(length) * 60).min(model.limit);
                    prop_assert_eq!(granted.as_secs(), end - model.lease_end);
                    (model.lease_end, model.last_use) = (end, truth);
                }
                Event::Keep(length) => {
                    subject.keep(now.after(minutes(length.into())), now);
                    (model.keep, model.last_use) = (truth + u64::from(length) * 60, truth);
                }
                Event::Request => {
                    subject.touch("request", now);
                    model.last_use = truth;
                }
                Event::Restart => {
                    let text = serde_json::to_string(&(&anchor, &subject)).unwrap();
                    (anchor, subject) = serde_json::from_str(&text).unwrap();
                }
                Event::Reboot(_) => {
                    prop_assert_eq!(continuation, Continuation::Reboot);
                    subject = subject.after_reboot(&policy, now);
                }
                Event::Nothing | Event::Suspend(_) | Event::StepClock(_) => {}
            }
            let usage = scene.observation.usage();
            if usage != Usage::Quiet {
                model.last_use = truth;
            }
            let (end, reason) = model.end(usage != Usage::Quiet, idle * 60);
            let action = subject.step(&policy, &usage, now);
            if end <= truth {
                prop_assert_eq!(action, Some(Action::End(reason)), "at {} s", truth);
                return Ok(());
            }
            match action {
                None => {}
                Some(Action::Warn(plan)) => {
                    prop_assert_eq!((plan.at, plan.reason), (Moment(end * 1000), reason));
                    prop_assert!(end - truth <= 15 * 60);
                }
                Some(Action::End(reason)) => prop_assert!(false, "{:?} at {} s, not {} s", reason, truth, end),
            }
            let said = explain(&policy, &subject, &scene.observation, &anchor, now);
            let wall = clocks.reading(truth).wall / 1000;
            prop_assert_eq!(said, model.why(&scene.observation, idle * 60, truth, wall));
            assert_ends(&policy, &subject, &usage, end, reason);
        }
    }
}
