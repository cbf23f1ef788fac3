use std::env;
use std::path::PathBuf;
use std::process::Command;

/// A Python that this machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    pub executable: PathBuf,
    /// `3.11`: one interpreter is kept for each.
    pub version: String,
}

/// Every minor version from 3.8 to 3.14 that is found as `python3.N` on PATH or among pyenv's versions, oldest first.
pub fn interpreters() -> Vec<Interpreter> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = env::split_paths(&path).collect();
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let installed = pyenv.and_then(|root| root.join("versions").read_dir().ok());
    directories.extend(
        installed.into_iter().flatten().flatten().map(|version| version.path().join("bin")),
    );

    let find = |minor: u32| {
        let version = format!("3.{minor}");
        directories
            .iter()
            .map(|directory| directory.join(format!("python{version}")))
            .find(|executable| says_its_version(executable, &version))
            .map(|executable| Interpreter { executable, version: version.clone() })
    };
    (8..=14).filter_map(find).collect()
}

/// A pyenv shim exists on PATH for every version but runs only those that are switched on.
fn says_its_version(executable: &PathBuf, version: &str) -> bool {
    let ask = "import sys; print('%d.%d' % sys.version_info[:2])";
    executable.exists()
        && Command::new(executable).args(["-c", ask]).output().is_ok_and(|output| {
            output.status.success() && output.stdout.trim_ascii() == version.as_bytes()
        })
}

#[cfg(test)]
mod tests {
    use super::interpreters;

    #[test]
    fn this_machine_has_at_least_one_interpreter_and_none_twice() {
        let found = interpreters();
        assert!(!found.is_empty());
        assert!(found.windows(2).all(|pair| pair[0].version != pair[1].version), "{found:?}");
    }
}
