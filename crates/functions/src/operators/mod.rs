//! The steps that run in the engine: those before the first that needs Python.
//!
//! A plan that begins with them reads less (a limit), reads no values (a count), and often needs no worker at all.

mod count;
mod limit;

use crate::plan::{Argument, Step, StepKind};

use count::Count;
pub(crate) use limit::Limit;

/// The steps at the front of a plan that need no Python.
pub(crate) struct Leading {
    limits: Vec<Limit>,
    count: Option<Count>,
    /// The first step that is left to the worker.
    pub(crate) next_step: usize,
    steps: usize,
}

impl Leading {
    /// `collect` and `repartition` move records between shards: with one shard they are no steps at all.
    pub(crate) fn of(steps: &[Step]) -> Self {
        let mut leading =
            Leading { limits: Vec::new(), count: None, next_step: 0, steps: steps.len() };
        for step in steps {
            let taken = match (step.kind, &mut leading.count) {
                (StepKind::Collect | StepKind::Repartition, _) => true,
                (StepKind::Limit { length, offset }, None) => {
                    leading.limits.push(Limit::new(length, offset));
                    true
                }
                (StepKind::Count, none @ None) => {
                    *none = Some(Count::default());
                    true
                }
                (kind, Some(count)) => count.follow(kind),
                _ => false,
            };
            if !taken {
                break;
            }
            leading.next_step += 1;
        }
        leading
    }

    /// Steps that nothing of is taken over: records go to the worker as the reader gives them.
    pub(crate) fn none(steps: &[Step]) -> Self {
        Leading { limits: Vec::new(), count: None, next_step: 0, steps: steps.len() }
    }

    /// Takes a record in; `true` when it goes on to the worker.
    #[inline]
    pub(crate) fn admit(&mut self) -> bool {
        for limit in &mut self.limits {
            if !limit.admit() {
                return false;
            }
        }
        match &mut self.count {
            None => true,
            Some(count) => {
                count.add();
                false
            }
        }
    }

    /// Takes a record in where nothing goes on: it is counted.
    #[inline]
    pub(crate) fn take(&mut self) {
        let goes_on = self.admit();
        debug_assert!(!goes_on, "records are taken in only by a count");
    }

    /// No record can come through any more: reading on is useless.
    pub(crate) fn is_full(&self) -> bool {
        self.limits.iter().any(Limit::is_full)
    }

    pub(crate) fn counts(&self) -> bool {
        self.count.is_some()
    }

    /// Nothing is left for Python to do.
    pub(crate) fn is_whole_plan(&self) -> bool {
        self.counts() && self.next_step == self.steps
    }

    /// The record that a count leaves behind; none if it counted nothing.
    pub(crate) fn total(&self) -> Option<Argument> {
        self.count.as_ref()?.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(kinds: &[StepKind]) -> Vec<Step> {
        let step =
            |kind: &StepKind| Step { kind: *kind, name: String::new(), argument: String::new() };
        kinds.iter().map(step).collect()
    }

    fn total_of(kinds: &[StepKind], records: usize) -> Option<Argument> {
        let mut leading = Leading::of(&steps(kinds));
        for _ in 0..records {
            leading.admit();
        }
        leading.total()
    }

    #[test]
    fn a_plain_count_needs_no_python() {
        let kinds = [StepKind::Count, StepKind::ToText, StepKind::Collect];
        assert!(Leading::of(&steps(&kinds)).is_whole_plan());
        assert_eq!(total_of(&kinds, 3), Some(Argument::Text("3".into())));
    }

    #[test]
    fn a_count_of_nothing_is_no_record() {
        assert_eq!(total_of(&[StepKind::Count, StepKind::ToText], 0), None);
    }

    #[test]
    fn a_limit_before_the_count_bounds_it() {
        let limit = StepKind::Limit { length: 2, offset: 1 };
        assert_eq!(total_of(&[limit, StepKind::Count], 10), Some(Argument::Int(2)));
        assert_eq!(total_of(&[limit, StepKind::Count], 2), Some(Argument::Int(1)));
    }

    #[test]
    fn a_limit_after_the_count_may_drop_its_one_record() {
        let none = StepKind::Limit { length: 5, offset: 1 };
        assert_eq!(total_of(&[StepKind::Count, none], 10), None);
    }

    #[test]
    fn counting_the_count_gives_one() {
        assert_eq!(total_of(&[StepKind::Count, StepKind::Count], 10), Some(Argument::Int(1)));
    }

    #[test]
    fn a_callback_ends_what_the_engine_takes_over() {
        let leading = Leading::of(&steps(&[StepKind::Collect, StepKind::Map, StepKind::Count]));
        assert_eq!(leading.next_step, 1);
        assert!(!leading.counts());
    }

    #[test]
    fn records_as_text_are_python_s_business() {
        assert_eq!(Leading::of(&steps(&[StepKind::ToText, StepKind::Collect])).next_step, 0);
    }

    #[test]
    fn what_follows_a_count_in_python_gets_its_record() {
        let leading = Leading::of(&steps(&[StepKind::Count, StepKind::Map]));
        assert!(leading.counts() && !leading.is_whole_plan());
        assert_eq!(leading.next_step, 1);
    }
}
