//! redis.conf-style files: one parameter a line, `#` comments, quotes, `include` with globs in the last path element.

use std::fs;
use std::path::Path;

use commands::glob;

use super::{Config, ConfigError};

/// Files may include files; not for ever.
const DEPTH_MAX: usize = 16;

impl Config {
    pub(crate) fn read_file(&mut self, path: &str) -> Result<(), ConfigError> {
        self.file.get_or_insert_with(|| path.to_owned());
        self.read_nested(path, DEPTH_MAX)
    }

    fn read_nested(&mut self, path: &str, depth: usize) -> Result<(), ConfigError> {
        let file_error = |why: String| ConfigError::File { path: path.to_owned(), why };
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| file_error("includes are nested too deeply".into()))?;
        let text = fs::read(path).map_err(|error| file_error(error.to_string()))?;
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let at_line =
                |why: String| ConfigError::Line { path: path.to_owned(), line: index + 1, why };
            let words =
                resp::split_arguments(line).ok_or_else(|| at_line("unbalanced quotes".into()))?;
            let words: Vec<String> =
                words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect();
            let [name, values @ ..] = words.as_slice() else { continue };
            if values.is_empty() {
                return Err(at_line(ConfigError::Missing(name.clone()).to_string()));
            }
            if name.eq_ignore_ascii_case("include") {
                for included in included_files(&values[0]) {
                    self.read_nested(&included, depth)?;
                }
                continue;
            }
            let name = name.to_ascii_lowercase();
            self.set_at_start(&name, values).map_err(|error| at_line(error.to_string()))?;
        }
        Ok(())
    }
}

/// A plain path as it is (it must exist); a pattern's matches in order (there may be none).
fn included_files(pattern: &str) -> Vec<String> {
    if !pattern.contains(['*', '?', '[']) {
        return vec![pattern.to_owned()];
    }
    let path = Path::new(pattern);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let name = name.to_string_lossy();
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<String> = entries
        .flatten()
        .filter(|entry| {
            glob::matches(name.as_bytes(), entry.file_name().to_string_lossy().as_bytes())
        })
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_its_includes() {
        let folder = std::env::temp_dir().join(format!("mainspring-config-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let more = folder.join("more.conf");
        fs::write(&more, "databases 4\n").unwrap();
        let main = folder.join("main.conf");
        fs::write(
            &main,
            format!("# a comment\n  port 7001\nrequirepass \"a b\"\ninclude {}\n", more.display()),
        )
        .unwrap();
        let mut config = Config::default();
        config.read_file(main.to_str().unwrap()).unwrap();
        assert_eq!(
            (config.number("port"), config.text("requirepass"), config.number("databases")),
            (7001, "a b", 4)
        );

        fs::write(&main, "port 7001\nnosuch 1\n").unwrap();
        let error = Config::default().read_file(main.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().ends_with("main.conf:2: unknown option 'nosuch'"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
