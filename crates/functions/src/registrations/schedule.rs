//! When a registration with `cron=…` runs: five fields, or six with seconds in front, or a name as `@hourly`. In UTC.

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];

pub(crate) struct Schedule {
    text: Box<str>,
    cron: Cron,
}

impl Schedule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.starts_with('@') {
            check_fields(text)?;
        }
        let cron = parse(text).map_err(|why| format!("cron: '{text}' is wrong: {why}"))?;
        Ok(Schedule { text: text.into(), cron })
    }

    /// As it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// `None`: never. In Unix milliseconds, as the host's clock.
    pub(crate) fn next_after(&self, now_ms: i64) -> Option<i64> {
        let now: DateTime<Utc> = DateTime::from_timestamp_millis(now_ms)?;
        let next = self.cron.find_next_occurrence(&now, false).ok()?;
        Some(next.timestamp_millis())
    }
}

/// Each field alone, so that the error can name it.
fn check_fields(text: &str) -> Result<(), String> {
    let given: Vec<&str> = text.split_whitespace().collect();
    let names = match given.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        count => {
            return Err(format!(
                "cron: '{text}' has {count} fields; there are five (minute, hour, day of month, \
                 month, day of week), or six with the second in front"
            ));
        }
    };
    for (index, (name, field)) in names.iter().zip(&given).enumerate() {
        let alone: Vec<&str> =
            (0..given.len()).map(|other| if other == index { field } else { "*" }).collect();
        let outcome = match field.contains('@') {
            true => Err("'@' stands only in front of a whole expression".into()),
            false => parse(&alone.join(" ")),
        };
        outcome.map_err(|why| format!("cron: the field {name} ('{field}') is wrong: {why}"))?;
    }
    Ok(())
}

fn parse(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;

    /// The epoch was a Thursday.
    fn next(text: &str, now_ms: i64) -> Option<i64> {
        Schedule::parse(text).unwrap_or_else(|why| panic!("{why}")).next_after(now_ms)
    }

    fn refusal(text: &str) -> String {
        Schedule::parse(text).err().unwrap_or_default()
    }

    #[test]
    fn the_next_time_is_after_now_and_never_now() {
        assert_eq!(next("*/5 * * * *", 0), Some(300_000));
        assert_eq!(next("*/5 * * * *", 299_999), Some(300_000));
        assert_eq!(next("*/5 * * * *", 300_000), Some(600_000));
    }

    #[test]
    fn seconds_may_stand_in_front() {
        assert_eq!(next("*/10 * * * * *", 1), Some(10_000));
    }

    #[test]
    fn names_ranges_lists_and_steps_are_known() {
        assert_eq!(next("@hourly", 1), Some(HOUR_MS));
        assert_eq!(next("@daily", 1), Some(DAY_MS));
        assert_eq!(next("0 9-17/4 * * MON-WED", 0), Some(4 * DAY_MS + 9 * HOUR_MS));
        assert_eq!(next("0 0 1 feb,mar *", 0), Some(31 * DAY_MS));
        assert_eq!(next("0 0 * * 0", 0), Some(3 * DAY_MS));
        assert_eq!(next("0 0 * * 7", 0), Some(3 * DAY_MS));
    }

    #[test]
    fn of_two_restrictions_of_the_day_either_will_do() {
        assert_eq!(next("0 0 13 * FRI", 0), Some(DAY_MS));
        assert_eq!(next("0 0 13 * FRI", 8 * DAY_MS), Some(12 * DAY_MS));
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (text, field) in [
            ("60 * * * *", "minute ('60')"),
            ("61 * * * * *", "second ('61')"),
            ("* 25 * * *", "hour ('25')"),
            ("* * 0 * *", "day of month ('0')"),
            ("* * * 13 *", "month ('13')"),
            ("* * * * noday", "day of week ('noday')"),
            ("*/0 * * * *", "minute ('*/0')"),
            ("5-1 * * * *", "minute ('5-1')"),
            ("@hourly", ""),
            ("* * * * @hourly", "day of week ('@hourly')"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.contains(field) && refusal.is_empty() == field.is_empty(), "{refusal}");
        }
        assert!(refusal("* * *").contains("has 3 fields"));
        assert!(refusal("").contains("has 0 fields"));
        assert!(refusal("@fortnightly").contains("'@fortnightly' is wrong"));
    }

    #[test]
    fn a_day_that_never_comes_has_no_next_time() {
        assert_eq!(next("0 0 30 2 *", 0), None);
    }
}
