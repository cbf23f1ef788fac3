/// A table of results, with the conditions that hold for all of its rows.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) method: String,
    pub(super) headers: &'static [&'static str],
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn to_markdown(&self) -> String {
        let mut text = format!("### {}\n\n{}\n\n", self.title, self.method);
        push_row(&mut text, self.headers.iter().copied());
        // What is named stands left, what is counted right.
        push_row(
            &mut text,
            (0..self.headers.len()).map(|column| if column == 0 { "---" } else { "---:" }),
        );
        for row in &self.rows {
            assert_eq!(row.len(), self.headers.len(), "a row of {} fits its headers", self.title);
            push_row(&mut text, row.iter().map(String::as_str));
        }
        text
    }
}

fn push_row<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    for cell in cells {
        text.push_str("| ");
        text.push_str(cell);
        text.push(' ');
    }
    text.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_a_title_its_method_and_rows() {
        let table = Table {
            title: "Speed",
            method: "One run.".into(),
            headers: &["what", "ns"],
            rows: vec![vec!["GET".into(), "3.00".into()]],
        };
        let expected = "### Speed\n\nOne run.\n\n| what | ns |\n| --- | ---: |\n| GET | 3.00 |\n";
        assert_eq!(table.to_markdown(), expected);
    }
}
