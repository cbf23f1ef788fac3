use resp::ReplyWriter;

/// Writes one answer of SCAN or its kin: the cursor that goes on, and the elements that `visit` wrote and counted.
pub(crate) fn write_page(
    reply: &mut ReplyWriter,
    visit: impl FnOnce(&mut ReplyWriter, &mut usize) -> u64,
) {
    // The cursor stands first and is known last.
    let mut elements = Vec::new();
    let mut count = 0;
    let mut page = ReplyWriter::new(&mut elements, reply.protocol());
    let cursor = visit(&mut page, &mut count);

    reply.array(2);
    reply.text(&cursor.to_string());
    reply.array(count);
    reply.raw(&elements);
}

/// The answer where there is nothing to scan.
pub(crate) fn write_empty_page(reply: &mut ReplyWriter) {
    write_page(reply, |_, _| 0);
}

#[cfg(test)]
mod tests {
    use resp::{Protocol, ReplyWriter};

    use super::write_page;

    #[test]
    fn the_cursor_stands_before_what_was_visited() {
        let mut out = Vec::new();
        write_page(&mut ReplyWriter::new(&mut out, Protocol::Resp2), |page, count| {
            page.text("a");
            *count += 1;
            17
        });
        assert_eq!(out, b"*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n");
    }
}
