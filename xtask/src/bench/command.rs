//! Requests as bytes, written without a detour: the generator must cost less than the server that it measures.

/// Appends one request.
pub(super) fn encode(out: &mut Vec<u8>, words: &[&[u8]]) {
    push_header(out, b'*', words.len());
    for word in words {
        push_header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn push_header(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    // Nearly every length has one digit or two.
    match length {
        0..10 => out.push(b'0' + length as u8),
        10..100 => out.extend_from_slice(&[b'0' + (length / 10) as u8, b'0' + (length % 10) as u8]),
        _ => out.extend_from_slice(length.to_string().as_bytes()),
    }
    out.extend_from_slice(b"\r\n");
}

/// Sixteen bytes: four that say what it is and twelve digits.
pub(super) type Key = [u8; 16];

pub(super) fn key(kind: &[u8; 4], mut number: u64) -> Key {
    let mut key = *b"    000000000000";
    key[..4].copy_from_slice(kind);
    for digit in key[4..].iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_array_of_bulk_strings() {
        let mut out = Vec::new();
        encode(&mut out, &[b"SET", &key(b"key:", 1_234_567), &[b'v'; 100]]);
        let expected = format!(
            "*3\r\n$3\r\nSET\r\n$16\r\nkey:000001234567\r\n$100\r\n{}\r\n",
            "v".repeat(100)
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
