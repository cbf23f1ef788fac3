//! RESP2 replies for RESP3 clients.

use std::borrow::Cow;

use memchr::memmem;

/// Writes the nulls of RESP2 as RESP3 has them. All else that RESP2 can say, RESP3 says alike; but clients refuse `$-1` there.
/// `wire` holds whole replies.
pub fn upgrade_nulls(wire: &[u8]) -> Cow<'_, [u8]> {
    if memmem::find(wire, b"-1\r\n").is_none() {
        return Cow::Borrowed(wire);
    }
    let mut out = Vec::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end + 1);
        rest = after;
        match line {
            b"$-1\r\n" | b"*-1\r\n" => out.extend_from_slice(b"_\r\n"),
            [b'$' | b'=' | b'!', length @ .., b'\r', b'\n'] => {
                let length =
                    crate::parse_integer(length).and_then(|length| usize::try_from(length).ok());
                // Only an array's line stands alone; what is counted in bytes has them behind it, and they say nothing here.
                let (bytes, after) =
                    rest.split_at(length.map_or(0, |length| length + 2).min(rest.len()));
                out.extend_from_slice(line);
                out.extend_from_slice(bytes);
                rest = after;
            }
            line => out.extend_from_slice(line),
        }
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::upgrade_nulls;

    #[test]
    fn nulls_change_and_what_only_looks_like_one_does_not() {
        let wire = b"*4\r\n$-1\r\n$5\r\n$-1\r\n\r\n*-1\r\n:-1\r\n";
        assert_eq!(&*upgrade_nulls(wire), b"*4\r\n_\r\n$5\r\n$-1\r\n\r\n_\r\n:-1\r\n");
    }

    #[test]
    fn replies_without_nulls_and_broken_ones_are_left_alone() {
        for wire in [&b"*1\r\n+OK\r\n"[..], b"-ERR x\r\n", b"$10\r\nabc-1\r\n", b"", b"-1\r\n"] {
            assert_eq!(&*upgrade_nulls(wire), wire);
        }
    }
}
