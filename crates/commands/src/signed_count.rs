//! Counts whose sign says how to count: LPOS' rank, and the counts of HRANDFIELD and its kin.

use command_spec::Args;

use crate::Result;
use crate::error::fail;

/// Any integer but the least, which has no positive twin.
pub(crate) fn parse_signed_count(args: &mut Args) -> Result<i64> {
    let count = args.integer()?;
    if count == i64::MIN {
        return fail(
            "ERR value is out of range, \
             value must between -9223372036854775807 and 9223372036854775807",
        );
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use command_spec::Args;

    use super::parse_signed_count;

    #[test]
    fn only_the_least_integer_is_too_much() {
        let text: [&[u8]; 2] = [b"-9223372036854775807", b"-9223372036854775808"];
        let mut args = Args::new(&text);
        assert_eq!(parse_signed_count(&mut args), Ok(-i64::MAX));
        assert!(parse_signed_count(&mut args).is_err());
    }
}
