use keyspace::{Limits, List};

use super::{code, items};
use crate::error::{Result, malformed};
use crate::listpack::Builder;
use crate::source::Source;
use crate::{length, string};

/// A node that is one element.
const PLAIN: u64 = 1;
/// A node that is a listpack.
const PACKED: u64 = 2;
/// About what a node of Redis holds by default.
const NODE_SIZE: usize = 8 << 10;
/// A listpack cannot be larger than its lengths can say; Redis stops well before.
const PACKED_ELEMENT_MAX: usize = 1 << 30;

pub(super) fn read(source: &mut Source, code: u8, limits: &Limits) -> Result<List> {
    let mut list = List::default();
    if code == code::LIST_ZIPLIST {
        read_packed(&mut list, &string::read(source)?, true, limits)?;
        return Ok(list);
    }
    for _ in 0..length::read(source)? {
        if code == code::LIST {
            list.push_back(&string::read(source)?, limits);
            continue;
        }
        let container = if code == code::LIST_QUICKLIST_2 { length::read(source)? } else { PACKED };
        let node = string::read(source)?;
        match container {
            PLAIN => list.push_back(&node, limits),
            PACKED => read_packed(&mut list, &node, code == code::LIST_QUICKLIST, limits)?,
            _ => return malformed("a list's node is of no known kind"),
        }
    }
    Ok(list)
}

fn read_packed(list: &mut List, node: &[u8], is_ziplist: bool, limits: &Limits) -> Result<()> {
    for item in items(node, is_ziplist)? {
        item?.with_bytes(|element| list.push_back(element, limits));
    }
    Ok(())
}

/// Writes nodes as Redis has them.
pub(super) fn write(out: &mut Vec<u8>, list: &List) {
    let mut nodes = Vec::new();
    let mut count = 0;
    let mut node = Builder::default();
    let mut end_node = |node: &mut Builder| {
        if node.count() > 0 {
            length::write(&mut nodes, PACKED);
            string::write(&mut nodes, &std::mem::take(node).finish());
            count += 1;
        }
        nodes.len()
    };
    let mut plain = Vec::new();
    for element in list.iter() {
        if element.len() >= PACKED_ELEMENT_MAX {
            plain.push((end_node(&mut node), element));
            continue;
        }
        if node.len() + element.len() > NODE_SIZE {
            end_node(&mut node);
        }
        node.push(element);
    }
    end_node(&mut node);

    length::write(out, count + plain.len() as u64);
    let mut written = 0;
    for (at, element) in plain {
        out.extend_from_slice(&nodes[written..at]);
        written = at;
        length::write(out, PLAIN);
        string::write(out, element);
    }
    out.extend_from_slice(&nodes[written..]);
}
