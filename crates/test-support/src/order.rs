use crate::reply::Reply;

/// What of a reply is without order, so that two servers may differ in it and still say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    AsIs,
    /// The elements of an array, set or map.
    Elements,
    /// The pairs of a flat array: key, value, key, value.
    Pairs,
    /// The elements after a cursor.
    ScannedElements,
    /// The pairs after a cursor.
    ScannedPairs,
}

impl Order {
    pub(crate) fn named(directive: &str) -> Option<Order> {
        Some(match directive {
            "sort" => Order::Elements,
            "pairs" => Order::Pairs,
            "scan" => Order::ScannedElements,
            "scan_pairs" => Order::ScannedPairs,
            _ => return None,
        })
    }

    /// The same reply with what has no order put into one. A reply of another shape, an error say, stays as it is.
    pub fn canonical(self, mut reply: Reply) -> Reply {
        match (self, &mut reply) {
            (Order::AsIs, _) => {}
            (Order::Elements, Reply::Array(elements) | Reply::Set(elements)) => elements.sort(),
            (Order::Elements | Order::Pairs, Reply::Map(entries)) => entries.sort(),
            (Order::Pairs, Reply::Array(elements)) => sort_pairs(elements),
            (Order::ScannedElements, Reply::Array(parts)) => {
                if let [_, Reply::Array(elements)] = &mut parts[..] {
                    elements.sort();
                }
            }
            (Order::ScannedPairs, Reply::Array(parts)) => {
                if let [_, Reply::Array(elements)] = &mut parts[..] {
                    sort_pairs(elements);
                }
            }
            _ => {}
        }
        reply
    }
}

fn sort_pairs(elements: &mut Vec<Reply>) {
    let mut pairs: Vec<Vec<Reply>> = elements.chunks(2).map(<[Reply]>::to_vec).collect();
    pairs.sort();
    *elements = pairs.concat();
}

#[cfg(test)]
mod tests {
    use super::{Order, Reply};

    fn array(words: &[&str]) -> Reply {
        Reply::Array(words.iter().map(|word| Reply::Bulk(word.as_bytes().to_vec())).collect())
    }

    #[test]
    fn elements_are_sorted_alone_and_pairs_together() {
        assert_eq!(Order::Elements.canonical(array(&["b", "a"])), array(&["a", "b"]));
        assert_eq!(
            Order::Pairs.canonical(array(&["b", "1", "a", "2"])),
            array(&["a", "2", "b", "1"])
        );
    }

    #[test]
    fn a_cursor_stays_in_front() {
        let scanned = |words| Reply::Array(vec![Reply::Bulk(b"0".to_vec()), array(words)]);
        assert_eq!(Order::ScannedElements.canonical(scanned(&["b", "a"])), scanned(&["a", "b"]));
        assert_eq!(
            Order::ScannedPairs.canonical(scanned(&["b", "1", "a", "2"])),
            scanned(&["a", "2", "b", "1"])
        );
    }

    #[test]
    fn an_error_has_no_order() {
        let error = Reply::Error(b"ERR no".to_vec());
        assert_eq!(Order::Elements.canonical(error.clone()), error);
    }
}
