//! `count()`, and the steps after it that need no Python: they see one record at most.

use super::Limit;
use crate::plan::{Argument, StepKind};

#[derive(Default)]
pub(crate) struct Count {
    records: u64,
    then: Vec<Then>,
}

/// A step upon the one record.
enum Then {
    Count,
    ToText,
    Limit { length: u64, offset: u64 },
}

impl Count {
    #[inline]
    pub(crate) fn add(&mut self) {
        self.records += 1;
    }

    /// Takes over a step behind the count; `false` if it needs Python.
    pub(crate) fn follow(&mut self, kind: StepKind) -> bool {
        self.then.push(match kind {
            StepKind::Count => Then::Count,
            StepKind::ToText => Then::ToText,
            StepKind::Limit { length, offset } => Then::Limit { length, offset },
            _ => return false,
        });
        true
    }

    pub(crate) fn total(&self) -> Option<Argument> {
        if self.records == 0 {
            return None;
        }
        let records = i64::try_from(self.records).expect("records are counted one by one");
        self.then.iter().try_fold(Argument::Int(records), |record, then| match then {
            Then::Count => Some(Argument::Int(1)),
            Then::ToText => Some(as_text(record)),
            Then::Limit { length, offset } => {
                Limit::new(*length, *offset).admit().then_some(record)
            }
        })
    }
}

fn as_text(record: Argument) -> Argument {
    match record {
        Argument::Int(value) => Argument::Text(value.to_string()),
        text => text,
    }
}
