//! Entries of streams that fail again and again: a limit to their retries, and a stream that takes them.
//!
//! One poisonous entry must neither stop its stream for ever nor take its neighbours with it. A batch that has used up
//! its retries is read again entry by entry; only what fails alone is given up.

use std::collections::HashMap;

use super::{FailurePolicy, Statistics};
use crate::host::{Host, ask};
use crate::readers::stream::{self, StreamRun, Trim};

/// What an error may take of an entry in the dead-letter stream.
const ERROR_BYTES_MAX: usize = 4096;

/// What `register()` says about entries that fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GivingUp {
    /// `None`: without end.
    pub(crate) max_retries: Option<u64>,
    /// The stream that takes what is given up; without one it is passed over.
    pub(crate) dead_letter: Option<Box<[u8]>>,
    /// Entries of a failed batch are tried one by one before they are given up.
    pub(crate) isolates: bool,
}

/// The failures of the entries that are next in each stream.
#[derive(Default)]
pub(crate) struct Failures(HashMap<Box<[u8]>, Failing>);

#[derive(Default)]
struct Failing {
    attempts: u64,
    one_by_one: bool,
}

/// What a failure comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As onFailedPolicy says.
    ByPolicy,
    OneByOne,
    GiveUp {
        attempts: u64,
    },
}

impl GivingUp {
    /// Failures that are borne before something is given up; `None`: all of them, or none is ever given up.
    fn borne(&self, policy: FailurePolicy) -> Option<u64> {
        match policy {
            FailurePolicy::Retry => self.max_retries,
            FailurePolicy::Continue => self.dead_letter.as_ref().map(|_| 0),
            FailurePolicy::Abort => None,
        }
    }
}

impl Failures {
    pub(crate) fn is_one_by_one(&self, key: &[u8]) -> bool {
        !self.0.is_empty() && self.0.get(key).is_some_and(|failing| failing.one_by_one)
    }

    /// What failed before is through, or there is nothing left of it.
    pub(crate) fn forget(&mut self, key: &[u8]) {
        if !self.0.is_empty() {
            self.0.remove(key);
        }
    }

    pub(crate) fn judge(
        &mut self,
        giving_up: &GivingUp,
        policy: FailurePolicy,
        run: &StreamRun,
    ) -> Verdict {
        let Some(borne) = giving_up.borne(policy) else { return Verdict::ByPolicy };
        let failing = self.0.entry(run.key.clone()).or_default();
        if failing.one_by_one {
            return Verdict::GiveUp { attempts: failing.attempts + 1 };
        }
        failing.attempts += 1;
        if failing.attempts <= borne {
            Verdict::ByPolicy
        } else if run.read.iter().nth(1).is_some() && giving_up.isolates {
            failing.one_by_one = true;
            Verdict::OneByOne
        } else {
            Verdict::GiveUp { attempts: failing.attempts }
        }
    }
}

/// What stands beside an entry in the dead-letter stream.
pub(crate) struct Epitaph<'a> {
    pub(crate) error: &'a str,
    pub(crate) attempts: u64,
    pub(crate) registration: String,
    pub(crate) description: Option<&'a str>,
    pub(crate) now_ms: i64,
}

/// Moves the entries of a run to the dead-letter stream and acknowledges each at once, so that none is in both or in neither;
/// nobody else's command comes between.
pub(crate) fn give_up(
    host: &mut dyn Host,
    giving_up: &GivingUp,
    run: &StreamRun,
    epitaph: &Epitaph,
    trim: Trim,
    statistics: &mut Statistics,
) -> Result<(), String> {
    let Some(dead_letter) = &giving_up.dead_letter else {
        return stream::acknowledge(host, &run.key, run.read.iter(), trim);
    };
    for id in run.read.iter() {
        bury(host, dead_letter, run, id, epitaph)?;
        statistics.dead_lettered += 1;
        stream::acknowledge(host, &run.key, std::iter::once(id), trim)?;
    }
    Ok(())
}

fn bury(
    host: &mut dyn Host,
    dead_letter: &[u8],
    run: &StreamRun,
    id: &[u8],
    epitaph: &Epitaph,
) -> Result<(), String> {
    let fields = stream::fields(host, &run.key, id)?;
    let mut error = epitaph.error;
    if error.len() > ERROR_BYTES_MAX {
        error = &error[..error.floor_char_boundary(ERROR_BYTES_MAX)];
    }
    let (attempts, time) = (epitaph.attempts.to_string(), epitaph.now_ms.to_string());
    let mut args: Vec<&[u8]> = vec![b"XADD", dead_letter, b"*"];
    args.extend(fields.iter().map(Vec::as_slice));
    for (name, value) in [
        ("__key", &run.key[..]),
        ("__id", id),
        ("__error", error.as_bytes()),
        ("__attempts", attempts.as_bytes()),
        ("__registration", epitaph.registration.as_bytes()),
        ("__description", epitaph.description.unwrap_or_default().as_bytes()),
        ("__time_ms", time.as_bytes()),
    ] {
        args.extend([name.as_bytes(), value]);
    }
    ask(host, &args).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Arguments;
    use crate::readers::stream::Portion;

    fn run(entries: usize) -> StreamRun {
        StreamRun {
            key: b"s"[..].into(),
            portion: Portion::Unacknowledged,
            read: Arguments::pack(&vec![&b"1-1"[..]; entries]),
            was_read: true,
            epoch: 0,
            line: None,
            since_ms: None,
        }
    }

    fn giving_up(max_retries: Option<u64>) -> GivingUp {
        GivingUp { max_retries, dead_letter: Some(b"dead"[..].into()), isolates: true }
    }

    #[test]
    fn an_entry_is_given_up_when_it_has_failed_once_more_than_it_may_be_retried() {
        let mut failures = Failures::default();
        let mut judge = || failures.judge(&giving_up(Some(2)), FailurePolicy::Retry, &run(1));
        assert_eq!([judge(), judge()], [Verdict::ByPolicy; 2]);
        assert_eq!(judge(), Verdict::GiveUp { attempts: 3 });
    }

    #[test]
    fn a_batch_that_has_used_up_its_retries_is_tried_one_by_one() {
        let mut failures = Failures::default();
        let mut judge =
            |entries| failures.judge(&giving_up(None), FailurePolicy::Continue, &run(entries));
        assert_eq!(judge(2), Verdict::OneByOne);
        assert_eq!([judge(1), judge(1)], [Verdict::GiveUp { attempts: 2 }; 2]);
        assert!(failures.is_one_by_one(b"s"));
        failures.forget(b"s");
        assert!(!failures.is_one_by_one(b"s"));
    }

    #[test]
    fn without_a_limit_or_a_place_for_the_dead_the_policy_decides() {
        let mut failures = Failures::default();
        for policy in [FailurePolicy::Retry, FailurePolicy::Continue, FailurePolicy::Abort] {
            let verdict = failures.judge(&GivingUp::default(), policy, &run(2));
            assert_eq!(verdict, Verdict::ByPolicy);
        }
    }
}
