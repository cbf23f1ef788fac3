//! The ends of a list, as commands name and use them.

use command_spec::{ArgError, Args};
use keyspace::value::list::End;
use keyspace::{EventKind, Limits, List};
use resp::ReplyWriter;

use crate::Result;

/// LEFT or RIGHT.
pub(super) fn parse_end(args: &mut Args) -> Result<End> {
    if args.keyword("LEFT") {
        Ok(End::Front)
    } else if args.keyword("RIGHT") {
        Ok(End::Back)
    } else {
        Err(ArgError::Syntax.into())
    }
}

pub(super) fn push(list: &mut List, end: End, element: &[u8], limits: &Limits) {
    match end {
        End::Front => list.push_front(element, limits),
        End::Back => list.push_back(element, limits),
    }
}

pub(super) const fn push_event(end: End) -> EventKind {
    match end {
        End::Front => EventKind::LPUSH,
        End::Back => EventKind::RPUSH,
    }
}

pub(super) const fn pop_event(end: End) -> EventKind {
    match end {
        End::Front => EventKind::LPOP,
        End::Back => EventKind::RPOP,
    }
}

/// Writes elements from where they are stored, the outermost first, and drops them. There must be as many.
pub(super) fn pop_into(list: &mut List, end: End, count: usize, reply: &mut ReplyWriter) {
    let len = list.len();
    debug_assert!(count <= len);
    match end {
        End::Front => {
            list.range(0..count).for_each(|element| reply.bulk(element));
            list.trim(count..len);
        }
        End::Back => {
            list.range(len - count..len).rev().for_each(|element| reply.bulk(element));
            list.trim(0..len - count);
        }
    }
}
