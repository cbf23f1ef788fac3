//! How the story looks: titles, sentences, aligned figures, quoted scripts.

use std::io::{self, Stdout, Write};
use std::time::Duration;

pub(super) struct Page {
    out: Stdout,
}

const LABEL_WIDTH: usize = 42;
const VALUE_WIDTH: usize = 12;
const HINT_WIDTH: usize = 62;
const LINE_WIDTH: usize = 84;

impl Page {
    pub(super) fn new(out: Stdout) -> Page {
        Page { out }
    }

    pub(super) fn title(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out, "\n{title}\n")
    }

    pub(super) fn say(&mut self, sentence: &str) -> io::Result<()> {
        writeln!(self.out, "  {sentence}")
    }

    pub(super) fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// `label   value  note`, the values right under each other.
    pub(super) fn figure(&mut self, label: &str, value: &str, note: &str) -> io::Result<()> {
        writeln!(self.out, "{}", figure(label, value, note))
    }

    /// Lines as they are: a script, a traceback.
    pub(super) fn quote(&mut self, text: &str) -> io::Result<()> {
        for line in text.lines() {
            writeln!(self.out, "{}", format!("    | {line}").trim_end())?;
        }
        self.gap()
    }

    pub(super) fn hint(&mut self, command: &str, what: &str) -> io::Result<()> {
        writeln!(self.out, "    {command:<HINT_WIDTH$} {what}")
    }
}

fn figure(label: &str, value: &str, note: &str) -> String {
    let line = format!("  {label:<LABEL_WIDTH$}{value:>VALUE_WIDTH$}  {note}");
    line.trim_end().to_owned()
}

/// A line of text that leaves room for what stands before it.
pub(super) fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// `1,234,567`.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds, with as many decimals as say something.
pub(super) fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    let decimals = match ms {
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    if ms < 1000.0 { format!("{ms:.decimals$} ms") } else { format!("{:.2} s", ms / 1000.0) }
}

/// `123,000 lines/s`: two or three digits are all that one measurement is good for.
pub(super) fn rate(amount: usize, time: Duration, unit: &str) -> String {
    let per_second = amount as f64 / time.as_secs_f64().max(1e-9);
    let step = 10f64.powi((per_second.max(1.0).log10() as i32 - 2).max(0));
    format!("{} {unit}/s", count(((per_second / step).round() * step) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1000, 1_234_567].map(count).each_ref().map(String::as_str)
        );
    }

    #[test]
    fn a_long_line_is_cut_between_letters() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"ü".repeat(100)), format!("{}…", "ü".repeat(LINE_WIDTH)));
    }

    #[test]
    fn durations_keep_three_digits() {
        let shown =
            [87, 4_260, 43_219, 843_000, 1_500_000].map(|us| duration(Duration::from_micros(us)));
        assert_eq!(shown, ["0.087 ms", "4.26 ms", "43.2 ms", "843 ms", "1.50 s"]);
    }

    #[test]
    fn rates_do_not_pretend_to_be_exact() {
        assert_eq!(rate(123_456, Duration::from_secs(1), "lines"), "123,000 lines/s");
        assert_eq!(rate(50, Duration::from_secs(1), "lines"), "50 lines/s");
    }

    #[test]
    fn figures_stand_under_each_other() {
        let (one, other) = (figure("files", "7", ""), figure("lines", "1,234", "not blank"));
        assert_eq!(one.find("7"), other.find("4"));
        assert!(other.ends_with("1,234  not blank"));
    }
}
