//! What is loaded: the repository's documents and sources where there is one around, else the documents in the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(super) struct Library {
    /// What the texts are, for the story.
    pub(super) description: String,
    pub(super) texts: Vec<Text>,
}

pub(super) struct Text {
    /// Relative to the repository, with slashes.
    pub(super) name: String,
    pub(super) content: String,
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../", $name)))),*]
    };
}

const EMBEDDED: &[(&str, &str)] = embedded![
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/life-of-a-command.md",
    "docs/life-of-a-function.md",
    "docs/worker-protocol.md",
    "tests/scripts/README.md",
];

/// Where a repository's text is; generated and fetched files are elsewhere.
const DIRECTORIES: [&str; 6] = ["crates", "docs", "examples", "python", "tests", "xtask"];
const ENDINGS: [&str; 4] = ["md", "rs", "py", "script"];

impl Library {
    /// Every line that says something: text, number (from 1) and line.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&Text, usize, &str)> {
        self.texts
            .iter()
            .flat_map(|text| text.lines().map(move |(number, line)| (text, number, line)))
    }
}

impl Text {
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.content.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim().is_empty())
    }

    /// The name's ending: `rs`, `md`.
    pub(super) fn kind(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, ending)| ending)
    }
}

/// The texts of the repository in which `directory` lies, or those of the program.
pub(super) fn find(directory: &Path) -> io::Result<Library> {
    match directory.ancestors().find(|directory| is_repository(directory)) {
        Some(root) => read(root),
        None => Ok(embedded()),
    }
}

fn is_repository(directory: &Path) -> bool {
    directory.join("crates/mainspring/Cargo.toml").is_file()
        && directory.join("README.md").is_file()
}

fn read(root: &Path) -> io::Result<Library> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.is_file() && is_text(&path) {
            paths.push(path);
        }
    }
    for directory in DIRECTORIES {
        collect(&root.join(directory), &mut paths)?;
    }
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        // A text in another encoding is none for our purpose.
        let Ok(content) = String::from_utf8(fs::read(&path)?) else { continue };
        let relative = path.strip_prefix(root).unwrap_or(&path);
        texts.push(Text { name: relative.to_string_lossy().into_owned(), content });
    }
    Ok(Library { description: "the documents and sources of this repository".into(), texts })
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if is_text(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|text| ending == *text))
}

fn embedded() -> Library {
    let texts = EMBEDDED
        .iter()
        .map(|(name, content)| Text { name: (*name).into(), content: (*content).into() });
    Library {
        description: "the documents that come with the program".into(),
        texts: texts.collect(),
    }
}

/// Words of four letters and more, in lower case: what the scripts look for, written once more to check them.
pub(super) fn words(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|letter: char| !letter.is_ascii_alphabetic());
    words.filter(|word| word.len() >= 4).map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_the_repository_its_own_texts_are_found() {
        let library = find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let names: Vec<&str> = library.texts.iter().map(|text| text.name.as_str()).collect();
        for name in ["README.md", "crates/mainspring/src/demo/texts.rs", "docs/worker-protocol.md"]
        {
            assert!(names.contains(&name), "{name}");
        }
        assert!(!names.iter().any(|name| name.starts_with("target")));
    }

    #[test]
    fn elsewhere_the_programs_own_are_taken() {
        let library = find(Path::new("/")).unwrap();
        assert_eq!(library.texts.len(), EMBEDDED.len());
        assert!(library.lines().count() > 100);
    }

    #[test]
    fn blank_lines_keep_their_numbers() {
        let text = Text { name: "a/b.md".into(), content: "one\n \nthree\n".into() };
        assert_eq!(text.lines().collect::<Vec<_>>(), [(1, "one"), (3, "three")]);
        assert_eq!(text.kind(), "md");
    }

    #[test]
    fn words_are_letters_in_lower_case() {
        assert_eq!(
            words("Let self.engine = Grüße42; the end").collect::<Vec<_>>(),
            ["self", "engine"]
        );
    }
}
