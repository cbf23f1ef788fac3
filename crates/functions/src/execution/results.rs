//! Records as replies, by RedisGears' table.

use resp::ReplyWriter;

use super::{Execution, Status};
use crate::plan::Argument;

/// `[results, errors]`, as RG.PYEXECUTE and RG.GETRESULTS give them.
pub(crate) fn write_results(execution: &Execution, reply: &mut ReplyWriter) {
    reply.array(2);
    write_records(&execution.results, reply);
    reply.array(execution.errors.len());
    for error in &execution.errors {
        reply.text(error);
    }
}

/// How an outcome is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyForm {
    Records,
    /// In place of a command's reply.
    OneRecord,
}

/// RG.TRIGGER: the first error, or the results without a list of errors.
pub(crate) fn write_outcome(execution: &Execution, form: ReplyForm, reply: &mut ReplyWriter) {
    match execution.errors.first() {
        Some(error) => reply.error(error.as_bytes()),
        None if execution.status == Status::Aborted => {
            reply.error(b"ERR execution was aborted before it started")
        }
        None if form == ReplyForm::Records => write_records(&execution.results, reply),
        None => match &execution.results[..] {
            [record] => write_record(record, reply),
            _ => reply.error(b"Command hook must return exactly one result"),
        },
    }
}

fn write_records(records: &[Argument], reply: &mut ReplyWriter) {
    reply.array(records.len());
    for record in records {
        write_record(record, reply);
    }
}

pub(crate) fn write_record(record: &Argument, reply: &mut ReplyWriter) {
    match record {
        Argument::List(items) => write_records(items, reply),
        Argument::Bool(value) => reply.integer(i64::from(*value)),
        Argument::Int(value) => reply.integer(*value),
        // Beyond RESP's integers: the digits are better than RedisGears' -1.
        Argument::BigInt(digits) => reply.text(digits),
        Argument::Float(value) => reply.text(&fixed(*value)),
        Argument::Text(text) => write_text(text, reply),
        Argument::Bytes(bytes) => reply.bulk(bytes),
        Argument::None
        | Argument::Tuple(_)
        | Argument::Dict(_)
        | Argument::Set(_)
        | Argument::Pickle(_) => reply.bulk(b"PY RECORD"),
    }
}

/// A sign in front chooses the kind of reply.
fn write_text(text: &str, reply: &mut ReplyWriter) {
    match text.split_at_checked(1) {
        Some(("+", line)) if !line.is_empty() => {
            if line.contains(['\r', '\n']) {
                reply.simple(&line.replace(['\r', '\n'], " "));
            } else {
                reply.simple(line);
            }
        }
        Some(("-", line)) if !line.is_empty() => reply.error(line.as_bytes()),
        _ => reply.text(text),
    }
}

/// As C's `%f`.
fn fixed(value: f64) -> String {
    if value.is_nan() { "nan".into() } else { format!("{value:.6}") }
}

#[cfg(test)]
mod tests {
    use resp::Protocol;

    use super::*;

    fn wire(record: Argument) -> String {
        let mut out = Vec::new();
        write_record(&record, &mut ReplyWriter::new(&mut out, Protocol::Resp2));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lists_nest_and_numbers_are_integers() {
        let list =
            Argument::List(vec![Argument::Int(-1), Argument::Bool(true), Argument::List(vec![])]);
        assert_eq!(wire(list), "*3\r\n:-1\r\n:1\r\n*0\r\n");
    }

    #[test]
    fn floats_have_six_decimals() {
        assert_eq!(wire(Argument::Float(1.5)), "$8\r\n1.500000\r\n");
        assert_eq!(wire(Argument::Float(f64::INFINITY)), "$3\r\ninf\r\n");
    }

    #[test]
    fn a_sign_in_front_of_text_chooses_the_reply() {
        assert_eq!(wire(Argument::Text("+OK".into())), "+OK\r\n");
        assert_eq!(wire(Argument::Text("-5".into())), "-5\r\n");
        assert_eq!(wire(Argument::Text("+".into())), "$1\r\n+\r\n");
        assert_eq!(wire(Argument::Bytes(b"+OK".to_vec())), "$3\r\n+OK\r\n");
    }

    #[test]
    fn no_text_breaks_out_of_its_line() {
        assert_eq!(wire(Argument::Text("+a\r\n:1".into())), "+a  :1\r\n");
        assert_eq!(wire(Argument::Text("-a\nb".into())), "-a b\r\n");
    }

    #[test]
    fn what_has_no_reply_says_so() {
        assert_eq!(wire(Argument::None), "$9\r\nPY RECORD\r\n");
        assert_eq!(wire(Argument::Dict(vec![])), "$9\r\nPY RECORD\r\n");
    }
}
