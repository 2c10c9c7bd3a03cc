//! Contestants that take turns, so that other load on the machine affects all of them alike.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use soong::error::Result;

use super::statistics::{Summary, median, uncertainty};
use super::{budget, sandbox};

/// Contestant: does its work once and returns the time that it took.
pub type Contestant<'a> = &'a mut dyn FnMut() -> Result<Duration>;

/// Extent of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Largest number of figures for each contestant. Fewer suffice once all medians are known well enough.
    pub rounds: usize,
    /// Turns per figure, which is their median.
    pub turns: usize,
    /// Time limit, after which the remaining rounds are left out.
    pub limit: Duration,
}

/// Required certainty of a median: the width of its interval, as a share of it.
const ENOUGH: f64 = 0.03;
/// Smallest number of figures that can establish it.
const ROUNDS_MIN: usize = 9;

/// Measured times: per round, the time of every contestant.
#[derive(Debug)]
pub struct Times {
    rounds: Vec<Vec<Duration>>,
}

impl Plan {
    /// Runs `contestants` in turns, in an order that is reversed every round, after one turn each that does
    /// not count.
    pub fn hold(self, name: &str, contestants: &mut [Contestant]) -> Result<Times> {
        for contestant in contestants.iter_mut() {
            contestant()?;
        }
        let deadline = budget::deadline(self.limit);
        let mut times = Times { rounds: Vec::new() };
        for round in 0..self.rounds {
            if (round > 0 && Instant::now() >= deadline) || times.are_certain() {
                progress(name, round, round);
                break;
            }
            let mut turns = vec![Vec::new(); contestants.len()];
            for turn in 0..self.turns {
                take_turns(contestants, (round + turn) % 2 == 1, &mut turns)?;
            }
            times.rounds.push(turns.iter().map(|turns| median(turns)).collect());
            progress(name, round + 1, self.rounds);
        }
        Ok(times)
    }
}

fn take_turns(contestants: &mut [Contestant], backwards: bool, turns: &mut [Vec<Duration>]) -> Result<()> {
    for step in 0..contestants.len() {
        sandbox::check_signals()?;
        let index = if backwards { contestants.len() - 1 - step } else { step };
        turns[index].push(contestants[index]()?);
    }
    Ok(())
}

/// Shows progress: in place on a terminal, as occasional lines elsewhere.
fn progress(name: &str, done: usize, of: usize) {
    let end = if done == of { "\n" } else { "" };
    if io::stderr().is_terminal() {
        soong::terminal::print_error(&format!("\r{name}: round {done} of {of}{end}"));
    } else if done == of || done.is_multiple_of((of / 4).max(1)) {
        soong::terminal::print_error(&format!("{name}: round {done} of {of}\n"));
    }
}

impl Times {
    /// Returns true if more rounds would hardly change the medians.
    fn are_certain(&self) -> bool {
        let of = |contestant: usize| self.rounds.iter().map(move |round| round[contestant].as_secs_f64());
        let contestants = self.rounds.first().map_or(0, Vec::len);
        self.rounds.len() >= ROUNDS_MIN
            && (0..contestants).all(|contestant| uncertainty(of(contestant).collect()) <= ENOUGH)
    }

    /// Returns the number of rounds.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// Returns the times of one contestant, in milliseconds.
    pub fn milliseconds(&self, contestant: usize) -> Summary {
        Summary::of(self.rounds.iter().map(|round| round[contestant].as_secs_f64() * 1e3).collect())
    }

    /// Compares the times of each round with one another and summarises the results, in seconds.
    pub fn compare(&self, comparison: impl Fn(&[f64]) -> f64) -> Summary {
        let seconds = |round: &Vec<Duration>| round.iter().map(Duration::as_secs_f64).collect::<Vec<f64>>();
        Summary::of(self.rounds.iter().map(|round| comparison(&seconds(round))).collect())
    }
}
