//! Tries the candidates in order, and with `--wait-capacity` asks again until one succeeds.

use std::thread;
use std::time::{Duration, Instant};

use super::attempt::{Attempt, attempt};
use super::choice::{Candidate, Wanted};
use super::follow_up;
use super::setting::{Rented, Setting};
use super::steps::Step;
use crate::error::{Error, Result};
use crate::instances::provider::rental::Provider;
use crate::instances::provider::{Code, Offer, Refused};
use crate::ledger::cost::dollars;
use crate::system::time::span;
use crate::terminal::{print_error, printable};

/// Time between two questions about capacity; a quarter more or less at random, so that many who wait do not ask
/// at the same time.
const INTERVAL: Duration = Duration::from_secs(20);
/// Longest pause after failures.
const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// Pause after a refusal as too frequent that names none: Lambda Cloud takes a launch each 12 s.
const RATE: Duration = Duration::from_secs(12);
/// Longest pause that a provider may ask for without `--wait-capacity`.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Refusals as too frequent of one request.
const RATE_TRIES: u32 = 4;

/// Result of a round over all candidates.
enum Round {
    Launched(Rented),
    /// No candidate had capacity, or the provider takes no requests now; the last refusal.
    NoCapacity(Option<Refused>),
}

/// Rents one of `candidates`. `limit` is the time to wait for capacity, `ceiling` the highest price that the user
/// agreed to.
pub(super) fn rent(
    candidates: &[Candidate],
    limit: Option<Duration>,
    ceiling: u64,
    setting: &Setting,
) -> Result<Rented> {
    let refused = match round(candidates, setting)? {
        Round::Launched(rented) => return Ok(rented),
        Round::NoCapacity(refused) => refused,
    };
    match (limit, refused) {
        (Some(limit), _) => wait_for_capacity(limit, ceiling, setting),
        (None, Some(refused)) if refused.code == Code::RateLimited => Err(refused.into()),
        (None, Some(refused)) => Err(Error::from(refused).with_hint("wait for capacity: --wait-capacity")),
        (None, None) => Err(Error::failed("no capacity").with_hint("wait for it: --wait-capacity")),
    }
}

/// Tries `candidates` in order.
fn round(candidates: &[Candidate], setting: &Setting) -> Result<Round> {
    let mut last = None;
    for candidate in candidates {
        match one(candidate, setting)? {
            Attempt::Launched(rented) => return Ok(Round::Launched(rented)),
            Attempt::Refused(refused) => match refused.code {
                Code::NoCapacity | Code::Quota => {
                    print_error(&format!("{:>11}  {}: {refused}\n", "", described(candidate)));
                    last = Some(refused);
                }
                // The others would be refused, too.
                Code::RateLimited => return Ok(Round::NoCapacity(Some(refused))),
                _ => return Err(refused.into()),
            },
        }
    }
    Ok(Round::NoCapacity(last))
}

/// Requests one candidate, again if the provider says that requests are too frequent.
fn one(candidate: &Candidate, setting: &Setting) -> Result<Attempt> {
    let step = Step::begin(&format!("Launching {}", described(candidate)));
    for try_number in 1.. {
        let refused = match attempt(candidate, setting)? {
            Attempt::Launched(rented) => {
                step.finish(&format!(
                    "launched {} ({}): {}, {}/h",
                    rented.name,
                    printable(&rented.id),
                    described(candidate),
                    dollars(rented.price_cents_per_hour)
                ));
                return Ok(Attempt::Launched(rented));
            }
            Attempt::Refused(refused) => refused,
        };
        let pause = refused.retry_after.unwrap_or(RATE);
        if refused.code != Code::RateLimited || try_number == RATE_TRIES || pause > PAUSE_MAX {
            return Ok(Attempt::Refused(refused));
        }
        if setting.watch.interrupted() || setting.watch.sleep(pause) {
            return Err(Error::interrupted());
        }
    }
    unreachable!("the tries do not end")
}

fn described(candidate: &Candidate) -> String {
    format!("{} in {}", printable(&candidate.offer.type_name), printable(&candidate.region))
}

/// Asks for offers until one of them is launched.
fn wait_for_capacity(limit: Duration, ceiling: u64, setting: &Setting) -> Result<Rented> {
    let deadline = Instant::now() + limit;
    // The user agreed to the prices of the plan.
    let wanted = Wanted { max_price: Some(ceiling), ..setting.wanted.clone() };
    let (mut failures, mut is_told) = (0, false);
    let mut step = Some(Step::begin("Waiting for capacity"));
    let mut pause = jittered(INTERVAL);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if setting.watch.sleep(pause.min(left)) {
            return Err(Error::interrupted());
        }
        if left <= pause {
            return Err(Error::failed(format!("no capacity within {}", span(limit.as_secs())))
                .with_hint("wait longer: --wait-capacity=24h"));
        }
        pause = match offers(setting) {
            Ok(offers) => {
                failures = 0;
                let candidates = wanted.candidates(&offers);
                let mut asked = Duration::ZERO;
                if !candidates.is_empty() {
                    if let Some(step) = step.take() {
                        step.finish("there is capacity");
                    }
                    match notified_round(&candidates, !std::mem::replace(&mut is_told, true), setting) {
                        Ok(Round::Launched(rented)) => return Ok(rented),
                        Ok(Round::NoCapacity(refused)) => {
                            asked = refused.and_then(|refused| refused.retry_after).unwrap_or_default();
                            step = Some(Step::begin("Waiting for capacity"));
                        }
                        Err(error) => return Err(error),
                    }
                }
                pause_after(asked)
            }
            Err(_) if setting.watch.interrupted() => return Err(Error::interrupted()),
            Err(refused) if refused.code == Code::Unauthorized => return Err(refused.into()),
            Err(refused) => {
                failures += 1;
                let longer = (INTERVAL * 2u32.saturating_pow(failures.min(8))).min(INTERVAL_MAX);
                jittered(longer).max(refused.retry_after.unwrap_or_default())
            }
        };
    }
}

/// Tries `candidates` while the hook for capacity runs, if that is wanted: it must not hold the launch up.
fn notified_round(candidates: &[Candidate], notify: bool, setting: &Setting) -> Result<Round> {
    let (paths, watch, name) = (&setting.paths, &setting.watch, setting.name.as_deref().unwrap_or_default());
    thread::scope(|scope| {
        if let Some(first) = candidates.first().filter(|_| notify) {
            scope.spawn(move || follow_up::notify_capacity(first, name, paths, watch));
        }
        round(candidates, setting)
    })
}

/// Asks for the offers of the provider.
pub(super) fn offers(setting: &Setting) -> std::result::Result<Vec<Offer>, Refused> {
    Provider::new(&setting.provider, &setting.watch).offers()
}

/// Returns the pause until the next question, if the provider asked for `asked` at least.
fn pause_after(asked: Duration) -> Duration {
    jittered(INTERVAL).max(asked)
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_about_the_interval_and_no_shorter_than_the_provider_wants() {
        let pauses: Vec<Duration> = (0..200).map(|_| pause_after(Duration::ZERO)).collect();
        assert!(pauses.iter().all(|pause| (15..=25).contains(&pause.as_secs())), "{pauses:?}");
        assert_ne!(pauses.iter().min(), pauses.iter().max());
        assert_eq!(pause_after(Duration::from_secs(400)), Duration::from_secs(400));
    }
}
