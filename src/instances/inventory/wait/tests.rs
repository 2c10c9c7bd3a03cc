//! Waiting, with a provider and a clock of the test.

use super::*;
use crate::instances::inventory::machine::sample;

fn machine(status: Status) -> Machine {
    let host = (status != Status::Booting).then_some("192.0.2.7");
    let mut machine = sample(status, host);
    machine.name = "train".to_owned();
    machine
}

/// Polls a provider that gives `answers` in turn; returns the result and the pauses, in seconds.
fn run(limit: u64, answers: Vec<Result<Option<Machine>>>) -> (Result<Instance>, Vec<u64>) {
    let mut answers = answers.into_iter();
    let mut pauses = Vec::new();
    let mut ask = || answers.next().unwrap_or_else(|| Ok(Some(machine(Status::Booting))));
    let mut sleep = |time: Duration| {
        pauses.push(time.as_secs());
        false
    };
    let result = poll(&machine(Status::Booting), Duration::from_secs(limit), &mut ask, &mut sleep);
    (result, pauses)
}

#[test]
fn it_ends_when_the_instance_is_up() {
    let booting = || Ok(Some(machine(Status::Booting)));
    let (result, pauses) = run(900, vec![booting(), booting(), Ok(Some(machine(Status::Active)))]);
    assert_eq!(result.unwrap().host, "192.0.2.7");
    assert_eq!(pauses, [5, 5, 5]);
}

#[test]
fn it_ends_when_waiting_does_not_help() {
    let (result, _) = run(900, vec![Ok(Some(machine(Status::Terminated)))]);
    assert_eq!(result.unwrap_err().to_string(), "the instance train is terminated");
    let (result, _) = run(900, vec![Ok(None)]);
    assert_eq!(result.unwrap_err().to_string(), "the instance train is gone");
}

#[test]
fn it_ends_at_the_limit_and_names_a_longer_one() {
    let (result, pauses) = run(12, vec![]);
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "the instance train is still booting after 12s");
    assert_eq!(error.hints(), ["wait longer: --wait=24"]);
    assert_eq!(pauses, [5, 5, 2]);
}

#[test]
fn a_provider_that_fails_is_asked_less_often_and_not_for_ever() {
    let failing = || Err(Error::failed("no network"));
    let (result, pauses) = run(900, vec![failing(), failing(), failing()]);
    assert_eq!(result.unwrap_err().to_string(), "no network");
    assert_eq!(pauses, [5, 10, 20]);
    let answers = vec![failing(), failing(), Ok(Some(machine(Status::Booting))), failing(), Ok(None)];
    assert_eq!(run(900, answers).1, [5, 10, 20, 5, 10]);
}

#[test]
fn a_signal_ends_it_at_once() {
    let mut ask = || panic!("not asked any more");
    let result = poll(&machine(Status::Booting), Duration::from_secs(900), &mut ask, &mut |_| true);
    assert_eq!(result.unwrap_err().to_string(), "interrupted");
}

#[test]
fn without_a_wish_to_wait_the_way_to_wait_is_named() {
    let selector = Selector { wanted: Some("train"), ..Selector::default() };
    let error = not_yet(&machine(Status::Booting), &selector);
    assert_eq!(error.to_string(), "the instance train is still booting");
    assert_eq!(error.hints(), ["wait for it: soong tunnel start train --wait"]);
}
