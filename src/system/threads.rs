//! Threads for work that mostly waits.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Most threads at a time. A thread costs more than a question to a process that answers at once.
const THREADS_MAX: usize = 64;

/// Applies `work` to each of `things`, many at a time. Returns the results in the order of `things`.
pub fn map<T: Send, U: Send>(things: Vec<T>, work: impl Fn(T) -> U + Sync) -> Vec<U> {
    map_at_once(THREADS_MAX, things, work)
}

/// Applies `work` like [`map`], to at most `limit` things at a time.
pub fn map_at_once<T: Send, U: Send>(limit: usize, things: Vec<T>, work: impl Fn(T) -> U + Sync) -> Vec<U> {
    let threads = things.len().min(limit);
    let queue = Mutex::new(things.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let labour = || {
        let mut done = Vec::new();
        while let Some((index, thing)) = next() {
            done.push((index, work(thing)));
        }
        done
    };
    let mut done: Vec<(usize, U)> = thread::scope(|scope| {
        let begun: Vec<_> = (0..threads).map(|_| scope.spawn(labour)).collect();
        begun
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        for count in [0, 1, THREADS_MAX, 3 * THREADS_MAX + 1] {
            let doubled: Vec<usize> = (0..count).map(|number| 2 * number).collect();
            assert_eq!(map((0..count).collect(), |number| 2 * number), doubled);
        }
    }
}
