//! What a worker prints, as log lines: cut into lines, bounded in length and number.

/// A longer line is cut; what follows is its continuation.
const LINE_BYTES_MAX: usize = 2048;

/// Lines a worker may print each second before the rest is only counted.
pub(crate) const LINES_PER_SECOND: u32 = 200;

#[derive(Debug)]
pub(crate) struct LogLines {
    partial: Vec<u8>,
    left: u32,
    dropped: u64,
}

impl Default for LogLines {
    fn default() -> Self {
        LogLines { partial: Vec::new(), left: LINES_PER_SECOND, dropped: 0 }
    }
}

impl LogLines {
    pub(crate) fn extend(&mut self, bytes: &[u8], line: &mut dyn FnMut(String)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in part.chunks(LINE_BYTES_MAX) {
                self.partial.extend_from_slice(piece);
                if piece.ends_with(b"\n") || self.partial.len() >= LINE_BYTES_MAX {
                    self.end_line(line);
                }
            }
        }
    }

    /// Whether a message that comes as a whole is within the same bounds.
    pub(crate) fn admits(&mut self, bytes: usize) -> bool {
        let pieces = u32::try_from(bytes / LINE_BYTES_MAX).unwrap_or(u32::MAX).saturating_add(1);
        let left = self.left.checked_sub(pieces);
        match left {
            Some(left) => self.left = left,
            None => self.dropped += 1,
        }
        left.is_some()
    }

    /// The rest, when no more will come.
    pub(crate) fn finish(&mut self, line: &mut dyn FnMut(String)) {
        if !self.partial.is_empty() {
            self.end_line(line);
        }
        self.refill(line);
    }

    /// A second has passed.
    pub(crate) fn refill(&mut self, line: &mut dyn FnMut(String)) {
        self.left = LINES_PER_SECOND;
        if self.dropped > 0 {
            line(format!("({} more lines were printed and dropped)", self.dropped));
            self.dropped = 0;
        }
    }

    fn end_line(&mut self, line: &mut dyn FnMut(String)) {
        let text = String::from_utf8_lossy(self.partial.trim_ascii_end()).into_owned();
        self.partial.clear();
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                line(text);
            }
            None => self.dropped += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_given_out_when_it_ends() {
        let (mut lines, mut seen) = (LogLines::default(), Vec::new());
        lines.extend(b"one\ntw", &mut |line| seen.push(line));
        lines.extend(b"o\n", &mut |line| seen.push(line));
        lines.extend(b"three", &mut |line| seen.push(line));
        lines.finish(&mut |line| seen.push(line));
        assert_eq!(seen, ["one", "two", "three"]);
    }

    #[test]
    fn messages_count_by_their_length() {
        let mut lines = LogLines::default();
        assert!(lines.admits(10));
        assert!(!lines.admits(LINE_BYTES_MAX * LINES_PER_SECOND as usize));
        assert!(lines.admits(LINE_BYTES_MAX * 197));
        assert!(!lines.admits(LINE_BYTES_MAX));
        let mut seen = Vec::new();
        lines.refill(&mut |line| seen.push(line));
        assert_eq!(seen, ["(2 more lines were printed and dropped)"]);
        assert!(lines.admits(0));
    }

    #[test]
    fn a_flood_is_counted_instead_of_passed_on() {
        let (mut lines, mut seen) = (LogLines::default(), Vec::new());
        lines.extend(&b"x\n".repeat(1000), &mut |line| seen.push(line));
        assert_eq!(seen.len(), LINES_PER_SECOND as usize);
        lines.refill(&mut |line| seen.push(line));
        assert_eq!(seen.last().unwrap(), "(800 more lines were printed and dropped)");
    }
}
