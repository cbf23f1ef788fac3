//! What is known about an interpreter: its version, and the packages that were installed for it.

use functions::worker::Installed;

use crate::installer::{Findings, Installation};

#[derive(Debug, Default)]
pub(crate) enum Knowledge {
    /// Nobody asked yet.
    #[default]
    None,
    Some(Interpreter),
    /// It does not run, and says why.
    Broken(String),
}

#[derive(Debug)]
pub(crate) struct Interpreter {
    pub(crate) version: (u32, u32),
    /// Oldest first.
    installations: Vec<Installation>,
    has_cloudpickle: bool,
    /// One attempt to get it is enough.
    pub(crate) looked_for_cloudpickle: bool,
}

impl Knowledge {
    /// What a survey found.
    pub(crate) fn of(findings: Findings) -> Self {
        let Some(version) = findings.python else {
            let why = findings.log.last().cloned();
            return Knowledge::Broken(why.unwrap_or_else(|| "it ended without a word".into()));
        };
        Knowledge::Some(Interpreter {
            version,
            installations: findings.installations,
            has_cloudpickle: findings.has_cloudpickle,
            looked_for_cloudpickle: false,
        })
    }

    pub(crate) fn interpreter(&self) -> Option<&Interpreter> {
        match self {
            Knowledge::Some(interpreter) => Some(interpreter),
            Knowledge::None | Knowledge::Broken(_) => None,
        }
    }

    pub(crate) fn interpreter_mut(&mut self) -> Option<&mut Interpreter> {
        match self {
            Knowledge::Some(interpreter) => Some(interpreter),
            Knowledge::None | Knowledge::Broken(_) => None,
        }
    }
}

impl Interpreter {
    /// Those that are known already stay where they are.
    pub(crate) fn add(&mut self, installations: Vec<Installation>) {
        for installation in installations {
            if self.installations.iter().all(|known| known.path != installation.path) {
                self.installations.push(installation);
            }
        }
    }

    pub(crate) fn has_installation(&self, path: &str) -> bool {
        self.installations.iter().any(|known| known.path == path)
    }

    /// Where sessions import from, what came last first: it was chosen with what is older in mind.
    pub(crate) fn sites(&self) -> impl ExactSizeIterator<Item = String> {
        self.installations.iter().rev().map(Installation::site)
    }

    pub(crate) fn find(&self, requirement: &str) -> Option<Installed> {
        let has = |installation: &&Installation| {
            installation.requirements.iter().any(|known| known == requirement)
        };
        let installation = self.installations.iter().rev().find(has)?;
        Some(Installed {
            requirement: requirement.into(),
            path: installation.path.clone(),
            wheels: installation.wheels.clone(),
        })
    }

    pub(crate) fn has_cloudpickle(&self) -> bool {
        self.has_cloudpickle || self.installations.iter().any(|one| one.has("cloudpickle"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(path: &str, requirement: &str) -> Installation {
        Installation {
            path: path.into(),
            requirements: vec![requirement.into()],
            wheels: vec!["cloudpickle-3.1.2-py3-none-any.whl".into()],
        }
    }

    #[test]
    fn the_newest_installation_of_a_requirement_counts() {
        let findings = Findings {
            python: Some((3, 11)),
            installations: vec![installation("/1", "a")],
            ..Findings::default()
        };
        let mut knowledge = Knowledge::of(findings);
        let interpreter = knowledge.interpreter_mut().unwrap();
        interpreter.add(vec![installation("/2", "a"), installation("/1", "a")]);
        assert_eq!(interpreter.find("a").unwrap().path, "/2");
        assert_eq!(interpreter.find("b"), None);
        assert_eq!(interpreter.sites().collect::<Vec<_>>(), ["/2/site", "/1/site"]);
        assert!(interpreter.has_cloudpickle());
    }

    #[test]
    fn an_interpreter_without_a_version_is_none() {
        let log = vec!["no such module".to_owned()];
        let knowledge = Knowledge::of(Findings { log, ..Findings::default() });
        assert!(matches!(knowledge, Knowledge::Broken(why) if why == "no such module"));
    }
}
