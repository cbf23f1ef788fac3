/// A crate that a manifest asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) is_for_tests: bool,
}

/// As much of TOML as our manifests use: `[…dependencies]` with one dependency a line, `[…dependencies.name]`.
pub(crate) fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut section = String::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut push = |name: &str, section: &str| {
            let is_for_tests = section.ends_with("dev-dependencies");
            found.push(Dependency {
                name: name.trim_matches('"').into(),
                line: index + 1,
                is_for_tests,
            });
        };
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = header.into();
            if let Some((table, name)) = header.rsplit_once('.')
                && table.ends_with("dependencies")
            {
                push(name, table);
            }
        } else if section.ends_with("dependencies") && line.contains('=') {
            let name = line.split(['=', '.']).next().unwrap_or_default().trim();
            push(name, &section);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::dependencies;

    #[test]
    fn dependencies_are_found_in_every_form() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nresp.workspace = true\nkeyspace = { path = \"..\" }\n\
                        [target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n[dependencies.server]\npath = \"..\"\n\
                        [dev-dependencies]\ntest-support.workspace = true\n[[test]]\nname = \"t\"\n";
        let found: Vec<(String, bool)> =
            dependencies(manifest).into_iter().map(|one| (one.name, one.is_for_tests)).collect();
        let expected = [
            ("resp", false),
            ("keyspace", false),
            ("libc", false),
            ("server", false),
            ("test-support", true),
        ];
        assert_eq!(found, expected.map(|(name, is_for_tests)| (name.to_string(), is_for_tests)));
    }
}
