//! Medians, percentiles, and numbers as people read them.

use std::time::Duration;

/// Of at least one figure.
pub(super) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    } else {
        sorted[middle]
    }
}

/// Of the same number of each of several rounds: `rounds[r]` are the figures of round `r`.
pub(super) fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|column| {
        median(&rounds.iter().map(|round| round[column]).collect::<Vec<_>>())
    })
}

/// The time that `share` of all times do not exceed. Sorts them.
pub(super) fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let rank = (share * times.len() as f64).ceil() as usize;
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Three significant digits, thousands apart.
pub(super) fn shown(figure: f64) -> String {
    if figure >= 1000.0 {
        grouped(figure.round() as u64)
    } else if figure >= 100.0 {
        format!("{figure:.0}")
    } else if figure >= 10.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.2}")
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

pub(super) fn ratio(figure: f64) -> String {
    format!("{figure:.2}x")
}

/// A goal beside what came of it: `1.60x: reached`.
pub(super) fn at_least(goal: f64, figure: f64) -> String {
    verdict(figure >= goal)
}

pub(super) fn at_most(goal: f64, figure: f64) -> String {
    verdict(figure <= goal)
}

fn verdict(is_reached: bool) -> String {
    if is_reached { "reached".into() } else { "**missed**".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn each_column_has_its_own_median() {
        assert_eq!(medians(&[[1.0, 30.0], [2.0, 10.0], [3.0, 20.0]]), [2.0, 20.0]);
    }

    #[test]
    fn the_hundredth_percentile_is_the_worst() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 0.5), Duration::from_millis(100));
        assert_eq!(percentile(&mut times, 0.99), Duration::from_millis(198));
        assert_eq!(percentile(&mut times, 1.0), Duration::from_millis(200));
        assert_eq!(percentile(&mut [], 0.5), Duration::ZERO);
    }

    #[test]
    fn numbers_keep_three_digits() {
        let figures = [0.123, 1.234, 12.34, 123.4, 1234.0, 1_234_567.0];
        assert_eq!(
            figures.map(shown),
            ["0.12", "1.23", "12.3", "123", "1 234", "1 234 567"].map(str::to_owned)
        );
    }
}
