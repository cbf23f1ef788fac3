use std::collections::VecDeque;

/// Commands that took long, the newest first.
#[derive(Debug, Default)]
pub(crate) struct SlowLog {
    entries: VecDeque<SlowCommand>,
    next_id: i64,
    max: usize,
}

#[derive(Debug)]
pub(crate) struct SlowCommand {
    pub(crate) id: i64,
    pub(crate) unix_seconds: i64,
    pub(crate) microseconds: u64,
    pub(crate) request: Vec<Vec<u8>>,
    pub(crate) client: String,
    pub(crate) client_name: Vec<u8>,
}

const ARGUMENTS_MAX: usize = 32;
const BYTES_MAX: usize = 128;

impl SlowLog {
    pub(crate) fn set_max(&mut self, max: usize) {
        self.max = max;
        self.entries.truncate(max);
    }

    pub(crate) fn add(
        &mut self,
        unix_seconds: i64,
        microseconds: u64,
        request: &[&[u8]],
        client: String,
        name: &[u8],
    ) {
        let entry = SlowCommand {
            id: self.next_id,
            unix_seconds,
            microseconds,
            request: shorten(request),
            client,
            client_name: name.to_vec(),
        };
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(self.max);
    }

    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &SlowCommand> {
        self.entries.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// A request as the log keeps it: the first arguments, the first bytes of each.
fn shorten(request: &[&[u8]]) -> Vec<Vec<u8>> {
    let shown = if request.len() > ARGUMENTS_MAX { ARGUMENTS_MAX - 1 } else { request.len() };
    let mut short: Vec<Vec<u8>> =
        request[..shown].iter().map(|argument| shorten_argument(argument)).collect();
    if shown < request.len() {
        short.push(format!("... ({} more arguments)", request.len() - shown).into_bytes());
    }
    short
}

fn shorten_argument(argument: &[u8]) -> Vec<u8> {
    match argument.split_at_checked(BYTES_MAX) {
        Some((head, rest)) if !rest.is_empty() => {
            [head, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
        }
        _ => argument.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_requests_are_kept_short_and_old_ones_go() {
        let mut log = SlowLog::default();
        log.set_max(2);
        let long = vec![b'x'; 200];
        let request: Vec<&[u8]> = (0..40).map(|_| long.as_slice()).collect();
        (0..3).for_each(|_| log.add(1, 2, &request, "127.0.0.1:1".into(), b""));
        let ids: Vec<i64> = log.entries().map(|entry| entry.id).collect();
        assert_eq!(ids, [2, 1]);
        let entry = log.entries().next().unwrap();
        assert_eq!(entry.request.len(), 32);
        assert!(entry.request[0].ends_with(b"... (72 more bytes)"));
        assert_eq!(entry.request[31], b"... (9 more arguments)");
    }
}
