//! Tables of machines and requests.

use super::*;
use crate::config::Config;
use crate::config::instance::Instance;
use crate::instances::provider::answer::Listed;
use crate::system::paths::Paths;

fn listed(name: &str, id: &str, status: Status) -> Machine {
    let ssh = Config::parse("", std::path::Path::new("x"), &Paths::from_env().unwrap()).unwrap().ssh;
    let name = (!name.is_empty()).then(|| name.to_owned());
    let host = Some("192.0.2.1".to_owned());
    Machine::listed(Listed { id: id.into(), name, status, host, ..Listed::default() }, "x", false, &ssh)
}

fn written(name: &str) -> Machine {
    let (host, user) = ("h".to_owned(), "u".to_owned());
    Machine::configured(&Instance {
        name: name.into(),
        id: name.into(),
        host,
        user,
        user_is_default: false,
        port: None,
        key: None,
    })
}

fn ids<'a>(machines: &'a [Machine], wanted: Option<&str>) -> Vec<&'a str> {
    candidates(machines, wanted).iter().map(|machine| machine.id.as_str()).collect()
}

#[test]
fn without_a_wish_the_active_ones_and_those_of_the_config_are_meant() {
    let active = listed("a", "1", Status::Active);
    let booting = listed("b", "2", Status::Booting);
    let over = listed("c", "3", Status::Terminated);
    assert_eq!(ids(&[active.clone(), booting.clone(), over.clone()], None), ["1"]);
    assert_eq!(ids(&[written("dev"), active, over.clone()], None), ["dev", "1"]);
    assert_eq!(ids(&[booting, over.clone()], None), ["2"], "what boots can be waited for");
    assert!(ids(&[over], None).is_empty());
}

#[test]
fn an_id_beats_a_name_beats_the_start_of_an_id() {
    let all = [
        listed("zz", "a1", Status::Booting),
        listed("a1", "b2", Status::Active),
        listed("c3", "a1ff", Status::Active),
    ];
    assert_eq!(ids(&all, Some("a1")), ["a1"]);
    assert_eq!(ids(&all[1..], Some("a1")), ["b2"]);
    assert_eq!(ids(&all[2..], Some("a1")), ["a1ff"]);
    assert!(ids(&all, Some("")).is_empty());
}

#[test]
fn a_name_used_again_means_the_living_one() {
    let all = [listed("train", "old", Status::Terminated), listed("train", "new", Status::Active)];
    assert_eq!(ids(&all, Some("train")), ["new"]);
    assert_eq!(ids(&all[..1], Some("train")), ["old"], "so that it can be told what became of it");
    assert_eq!(ids(&all, Some("old")), ["old"]);
}

#[test]
fn what_is_only_the_last_known_does_not_count() {
    let mut stale = listed("a", "1", Status::Active);
    stale.stale = true;
    assert!(ids(std::slice::from_ref(&stale), None).is_empty());
    assert!(ids(&[stale], Some("1")).is_empty());
}

#[test]
fn choices_are_listed() {
    let all = [listed("dev", "a1", Status::Active), listed("", "a2", Status::Booting)];
    let both: Vec<&Machine> = all.iter().collect();
    let error = several(&both[..1].repeat(2), None);
    assert_eq!(error.to_string(), "more than one instance is active");
    let error = several(&both, Some("a"));
    assert_eq!(error.to_string(), "more than one instance id starts with 'a'");
    assert_eq!(error.hints(), ["choose one with --instance-id: dev (a1), a2 (booting)"]);
    let twins = [listed("t", "1", Status::Active), listed("t", "2", Status::Active)];
    let error = several(&twins.iter().collect::<Vec<_>>(), Some("t"));
    assert_eq!(error.to_string(), "more than one instance is called 't'");
    assert_eq!(none(&all, Some("deb")).hints(), ["did you mean 'dev'?", "available: dev (a1), a2 (booting)"]);
    assert_eq!(none(&all[1..], None).hints(), ["available: a2 (booting)"]);
    assert!(none(&[], None).hints()[0].contains("soong configure"));
    let many: Vec<Machine> = (0..10_000).map(|n| listed("n", &n.to_string(), Status::Active)).collect();
    let error = several(&many.iter().collect::<Vec<_>>(), None);
    assert!(error.hints()[0].ends_with("n (9), and 9990 more"), "{:?}", error.hints());
}
