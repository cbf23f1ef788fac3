/// A script's error as people read it. On the wire it is what RedisGears sends: Python's notation of a list of lines.
pub(super) fn readable(error: &str) -> String {
    let Some(list) = error.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return error.to_owned();
    };
    let mut text = String::new();
    let mut quote = None;
    let mut letters = list.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (None, _) => {}
            (Some(open), _) if letter == open => quote = None,
            (Some(_), '\\') => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(escaped) => text.push(escaped),
                None => {}
            },
            (Some(_), letter) => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_list_of_lines_becomes_lines() {
        let error = r#"['Traceback:\n', '  File "<string>"\n', "KeyError: 'a'\n"]"#;
        assert_eq!(readable(error), "Traceback:\n  File \"<string>\"\nKeyError: 'a'\n");
        assert_eq!(readable(r"['it\'s a \\ here\n']"), "it's a \\ here\n");
    }

    #[test]
    fn plain_text_stays() {
        assert_eq!(readable("worker exited with code 3"), "worker exited with code 3");
    }
}
