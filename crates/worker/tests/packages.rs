//! What scripts need before they run: an interpreter of their version, and packages. No network is asked.

mod driver;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use driver::{Driver, PATIENCE, interpreters};
use functions::worker::{FromWorker, Needs, Prepared, Preparing, Workers};
use worker::Packages;

/// Two versions of a package, as small as a wheel can be.
const MAKE_WHEELS: &str = r#"
import sys, zipfile
for version in "1.0", "2.0":
    with zipfile.ZipFile("%s/gearbox-%s-py3-none-any.whl" % (sys.argv[1], version), "w") as wheel:
        info = "gearbox-%s.dist-info/" % version
        wheel.writestr("gearbox.py", "version = %r\n" % version)
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: gearbox\nVersion: %s\n" % version)
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "gearbox.py,,\n%sMETADATA,,\n%sWHEEL,,\n%sRECORD,,\n" % (info, info, info))
"#;

/// A directory for packages and one of wheels, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("packages-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("wheels")).unwrap();
        let made = Command::new("python3")
            .args(["-c", MAKE_WHEELS])
            .arg(path.join("wheels"))
            .status()
            .unwrap();
        assert!(made.success());
        Scratch(path)
    }

    fn packages(&self) -> Packages {
        Packages { directory: Some(self.0.join("packages")), wheels: Some(self.0.join("wheels")) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn prepare(driver: &mut Driver, needs: &Needs) -> Result<Prepared, Vec<String>> {
    match driver.pool.prepare(needs) {
        Preparing::Ready(prepared) => Ok(prepared),
        Preparing::Waiting(worker) => match driver.next_within(worker, 3 * PATIENCE) {
            Some(FromWorker::Prepared(outcome)) => outcome,
            other => panic!("{other:?}; printed: {:#?}", driver.printed),
        },
    }
}

fn requires(requirement: &str) -> Needs {
    Needs { requirements: vec![requirement.into()], ..Needs::default() }
}

fn version(interpreter: &OsString) -> (u32, u32) {
    let ask = "import sys; print(sys.version_info[1])";
    let output = Command::new(interpreter).args(["-c", ask]).output().unwrap();
    (3, String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
}

#[test]
fn a_requirement_is_installed_once_for_all_later_sessions_and_servers() {
    for interpreter in interpreters() {
        eprintln!("with {}", interpreter.display());
        let scratch = Scratch::new("once");
        let mut driver = Driver::installing(vec![interpreter.clone()], scratch.packages());
        let before = driver.session();
        assert!(driver.script(before, "import gearbox").unwrap().contains("ModuleNotFoundError"));

        let first = prepare(&mut driver, &requires("gearbox==1.0")).unwrap();
        assert_eq!(first.installed[0].wheels, ["gearbox-1.0-py3-none-any.whl"]);
        let session = driver.session();
        assert_eq!(driver.script(session, "import gearbox; assert gearbox.version == '1.0'"), None);
        assert_eq!(prepare(&mut driver, &requires("gearbox==1.0")).unwrap(), first);

        drop(driver);
        let mut driver = Driver::installing(vec![interpreter], scratch.packages());
        assert_eq!(prepare(&mut driver, &requires("gearbox==1.0")).unwrap(), first);
        let session = driver.session();
        assert_eq!(driver.script(session, "import gearbox"), None);
    }
}

#[test]
fn what_is_installed_last_is_what_sessions_import() {
    let scratch = Scratch::new("last");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    for version in ["2.0", "1.0"] {
        prepare(&mut driver, &requires(&format!("gearbox=={version}"))).unwrap();
        let session = driver.session();
        let check = format!("import gearbox; assert gearbox.version == '{version}'");
        assert_eq!(driver.script(session, &check), None);
    }
    // An older requirement that is met by what is there does not bring another version in.
    let prepared = prepare(&mut driver, &requires("gearbox>=1")).unwrap();
    assert_eq!(prepared.installed[0].wheels, ["gearbox-2.0-py3-none-any.whl"]);
}

#[test]
fn a_requirement_can_be_installed_again_in_another_place() {
    let scratch = Scratch::new("again");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    let needs = requires(scratch.0.join("wheels/gearbox-1.0-py3-none-any.whl").to_str().unwrap());
    let first = prepare(&mut driver, &needs).unwrap();
    let again = prepare(&mut driver, &Needs { again: true, ..needs }).unwrap();
    assert_ne!(first.installed[0].path, again.installed[0].path);
}

#[test]
fn what_cannot_be_installed_is_told_and_leaves_nothing() {
    let scratch = Scratch::new("nothing");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    let error = prepare(&mut driver, &requires("/nowhere/gearbox-3.0-py3-none-any.whl"));
    let lines = error.unwrap_err();
    assert!(lines[0].starts_with("Could not satisfy requirements"), "{lines:?}");
    assert!(lines.last().unwrap().contains("gearbox"), "{lines:?}");
    let left: Vec<_> = walk(&scratch.0.join("packages"));
    assert!(left.is_empty(), "{left:?}");

    let mut driver = Driver::new();
    let lines = prepare(&mut driver, &requires("gearbox")).unwrap_err();
    assert!(lines[1].contains("no directory for packages"), "{lines:?}");
}

fn walk(directory: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let inner =
        entries.flat_map(|entry| fs::read_dir(entry.path()).into_iter().flatten().flatten());
    inner.map(|entry| entry.path()).collect()
}

#[test]
fn a_script_runs_on_the_python_that_pickled_it() {
    let found = interpreters();
    let first = found[0].clone();
    let differs = |other: &&OsString| version(other) != version(&first);
    let last = found.iter().find(differs).unwrap_or(&first).clone();
    let mut driver = Driver::installing(
        vec!["/no/python".into(), first.clone(), last.clone()],
        Packages::default(),
    );
    for interpreter in [&last, &first] {
        let needs = Needs { python: Some(version(interpreter)), ..Needs::default() };
        let prepared = prepare(&mut driver, &needs).unwrap();
        assert_eq!(
            prepared.interpreter,
            if version(interpreter) == version(&first) { 1 } else { 2 }
        );
    }
    let needs = Needs { python: Some((3, 1)), ..Needs::default() };
    let lines = prepare(&mut driver, &needs).unwrap_err();
    let (_, minor) = version(&last);
    for part in ["Python 3.1,", &format!("Python 3.{minor} ("), "--python python3.1", "/no/python"]
    {
        assert!(lines[0].contains(part), "{lines:?}");
    }
}
