//! The configuration: one table of parameters, read from the command line and a redis.conf-style file, and by
//! CONFIG GET and SET.

mod file;
mod parameters;

use std::fmt;

pub(crate) use parameters::{ALIASES, Kind, PARAMETERS};

/// All parameters, as text in their canonical form. What the hot path needs is kept in `state::Settings`.
#[derive(Clone, Debug)]
pub struct Config {
    values: Vec<String>,
    /// `--port-file`: not a parameter of the server's life, but of its start.
    pub(crate) port_file: Option<String>,
    pub(crate) file: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    Unknown(String),
    Immutable(String),
    Invalid { name: String, why: String },
    File { path: String, why: String },
    Line { path: String, line: usize, why: String },
    Missing(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unknown(name) => write!(f, "unknown option '{name}'"),
            ConfigError::Immutable(name) => write!(f, "'{name}' can not be changed at run time"),
            ConfigError::Invalid { name, why } => write!(f, "bad value for '{name}': {why}"),
            ConfigError::File { path, why } => write!(f, "cannot read '{path}': {why}"),
            ConfigError::Line { path, line, why } => write!(f, "{path}:{line}: {why}"),
            ConfigError::Missing(name) => write!(f, "'{name}' needs a value"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Default for Config {
    fn default() -> Self {
        let values = PARAMETERS.iter().map(|parameter| parameter.default.to_owned()).collect();
        Config { values, port_file: None, file: None }
    }
}

impl Config {
    /// Reads a command line: an optional file first, then `--name value …`.
    pub fn from_arguments(arguments: &[String]) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        let mut rest = arguments;
        if let [file, tail @ ..] = rest
            && !file.starts_with('-')
        {
            config.read_file(file)?;
            rest = tail;
        }
        while let [option, tail @ ..] = rest {
            let Some(name) = option.strip_prefix("--") else {
                return Err(ConfigError::Unknown(option.clone()));
            };
            // `"--save 900 1"` may come as one word, as test tools send it.
            let (name, joined) = name
                .split_once(' ')
                .map_or((name, None), |(name, rest)| (name, Some(rest.to_owned())));
            // A value may begin with a dash (`--maxmemory-clients -1`), but not with two.
            let count = tail.iter().take_while(|word| !word.starts_with("--")).count();
            let (words, next) = tail.split_at(count);
            let mut values: Vec<String> = joined.into_iter().chain(words.iter().cloned()).collect();
            rest = next;
            if values.is_empty() {
                return Err(ConfigError::Missing(name.to_owned()));
            }
            match name.to_ascii_lowercase().as_str() {
                "port-file" => config.port_file = values.pop(),
                "config" => config.read_file(&values.remove(0))?,
                name => config.set_at_start(name, &values)?,
            }
        }
        Ok(config)
    }

    /// At the start everything can be set, and parameters that are lists grow.
    pub(crate) fn set_at_start(
        &mut self,
        name: &str,
        values: &[String],
    ) -> Result<(), ConfigError> {
        let index = find(name).ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        let parameter = &PARAMETERS[index];
        let value = values.join(" ");
        let value = match parameter.kind {
            Kind::List if self.values[index] != parameter.default => {
                format!("{} {value}", self.values[index])
            }
            Kind::Variables if !self.values[index].is_empty() => {
                format!("{}\n{value}", self.values[index])
            }
            _ => value,
        };
        self.store(index, &value)
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let index = find(name).ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        if !PARAMETERS[index].mutable {
            return Err(ConfigError::Immutable(name.to_owned()));
        }
        self.store(index, value)
    }

    fn store(&mut self, index: usize, value: &str) -> Result<(), ConfigError> {
        let parameter = &PARAMETERS[index];
        let invalid = |why: String| ConfigError::Invalid { name: parameter.name.to_owned(), why };
        self.values[index] = parameter.kind.canonical(value).map_err(invalid)?;
        Ok(())
    }

    /// The text of a parameter that this code names: it exists.
    pub(crate) fn text(&self, name: &str) -> &str {
        let index = find(name).expect("the parameter is in the table");
        &self.values[index]
    }

    /// What was given line by line.
    pub(crate) fn lines(&self, name: &str) -> impl Iterator<Item = &str> {
        self.text(name).lines()
    }

    /// A number, in its unit (bytes for sizes).
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.text(name).parse().expect("numbers are stored in canonical form")
    }

    /// Every parameter, and once more under each of its other names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let names = PARAMETERS.iter().map(|parameter| parameter.name);
        let parameters = names.zip(self.values.iter().map(String::as_str));
        parameters.chain(ALIASES.iter().map(|(alias, name)| (*alias, self.text(name))))
    }
}

fn find(name: &str) -> Option<usize> {
    let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name));
    let name = alias.map_or(name, |(_, name)| name);
    PARAMETERS.iter().position(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(line: &str) -> Result<Config, ConfigError> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Config::from_arguments(&arguments)
    }

    #[test]
    fn the_command_line_sets_parameters() {
        let config =
            config("--port 7000 --save 900 1 --maxmemory 2mb --port-file /tmp/p --appendonly no")
                .unwrap();
        assert_eq!(config.number("port"), 7000);
        assert_eq!(config.text("save"), "900 1");
        assert_eq!(config.number("maxmemory"), 2 << 20);
        assert_eq!(config.port_file.as_deref(), Some("/tmp/p"));
        assert_eq!(config.text("appendonly"), "no");
    }

    #[test]
    fn what_is_wrong_on_the_command_line_is_named() {
        for (line, text) in [
            ("--nosuch 1", "unknown option 'nosuch'"),
            ("--port", "'port' needs a value"),
            ("--port x", "bad value for 'port': argument must be a number"),
            (
                "--port 70000",
                "bad value for 'port': argument must be between 0 and 65535 inclusive",
            ),
            ("--appendonly maybe", "bad value for 'appendonly': argument must be 'yes' or 'no'"),
        ] {
            assert_eq!(config(line).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_parameter_has_its_old_name_too() {
        let config = config("--list-max-ziplist-size 7").unwrap();
        assert_eq!(config.number("list-max-listpack-size"), 7);
        assert!(config.iter().any(|pair| pair == ("list-max-ziplist-size", "7")));
        assert!(ALIASES.iter().all(|(alias, name)| find(alias) == find(name)));
    }

    #[test]
    fn a_whole_option_may_come_in_one_word() {
        let config =
            Config::from_arguments(&["--save 900 1".to_owned(), "--databases".into(), "8".into()])
                .unwrap();
        assert_eq!(config.text("save"), "900 1");
        assert_eq!(config.number("databases"), 8);
    }

    #[test]
    fn variables_of_the_environment_add_up_and_may_hold_blanks() {
        let words = ["--function-env", "A=b c", "--function-env", "D=e=f"].map(str::to_owned);
        let config = Config::from_arguments(&words).unwrap();
        assert_eq!(config.lines("function-env").collect::<Vec<_>>(), ["A=b c", "D=e=f"]);
    }

    #[test]
    fn interpreters_add_up() {
        let config = config("--python python3.11 --python python3.12").unwrap();
        assert_eq!(config.text("python"), "python3.11 python3.12");
    }
}
