//! What scripts need before they run: an interpreter of their version, and packages. No network is asked.

mod driver;

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use driver::{Driver, PATIENCE, interpreters};
use functions::worker::{
    Forbidden, FromWorker, Installed, Needs, Prepared, Preparing, SessionSpec, WorkerId, Workers,
};
use worker::Packages;

/// Two versions of a package, as small as a wheel can be, and two packages with what needs care.
const MAKE_WHEELS: &str = r##"
import sys, zipfile

def make(name, version, needs=(), **files):
    with zipfile.ZipFile("%s/%s-%s-py3-none-any.whl" % (sys.argv[1], name, version), "w") as wheel:
        info = "%s-%s.dist-info/" % (name, version)
        files = {path.replace("__", "."): text for path, text in files.items()}
        for path, text in files.items():
            entry = zipfile.ZipInfo(path.replace("DATA/", "%s-%s.data/" % (name, version)))
            entry.external_attr = (0o100755 if "tool" in path else 0o100644) << 16
            wheel.writestr(entry, text)
        requires = "".join("Requires-Dist: %s\n" % one for one in needs)
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s" % (name, version, requires))
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        listed = list(files) + [info + "METADATA", info + "WHEEL", info + "RECORD"]
        wheel.writestr(info + "RECORD", "".join("%s,,\n" % path for path in listed))

for version in "1.0", "2.0":
    make("gearbox", version, gearbox__py="version = %r\n" % version)
make("clutch", "1.0", ["gearbox<2"], clutch__py="", tool="#!/bin/sh\n", clutch__pth="import sys; sys.clutched = True\n")
make("flywheel", "1.0", flywheel__py="", flywheel__pth="import threading, time; threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n")
make("redgrease", "1.0", redgrease__py="")
make("lever", "1.0", **{"DATA/purelib/lever__py": "import gearbox\n"})
"##;

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

    /// python3 with these settings in its environment, and none of pip's own.
    fn interpreter(&self, settings: &str, options: &str) -> OsString {
        let path = self.0.join(format!("python-{}", fs::read_dir(&self.0).unwrap().count()));
        let unset = "unset $(env | sed -n 's/^\\(PIP_[A-Z_]*\\)=.*/\\1/p')";
        let script = format!(
            "#!/bin/sh\n{unset}\nexport {settings}\nshift\nexec python3 {options} \"$@\"\n"
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.into()
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

fn export(driver: &mut Driver, installed: &Installed) -> Vec<u8> {
    let worker = driver.pool.export(installed);
    match driver.next_within(worker, 3 * PATIENCE) {
        Some(FromWorker::Exported(Ok(bytes))) => bytes,
        other => panic!("{other:?}; printed: {:#?}", driver.printed),
    }
}

fn import(driver: &mut Driver, parts: &[&[u8]]) -> Result<Prepared, Vec<String>> {
    let worker = driver.pool.import(parts);
    match driver.next_within(worker, 3 * PATIENCE) {
        Some(FromWorker::Prepared(outcome)) => outcome,
        other => panic!("{other:?}; printed: {:#?}", driver.printed),
    }
}

/// A server's packages, without any wheels.
fn bare(scratch: &Scratch, name: &str) -> Packages {
    Packages { directory: Some(scratch.0.join(name)), wheels: None }
}

#[test]
fn a_requirement_goes_to_another_server_with_what_it_needs() {
    let scratch = Scratch::new("transfer");
    let mut giver = Driver::installing(vec!["python3".into()], scratch.packages());
    let clutch = prepare(&mut giver, &requires("clutch>=1")).unwrap().installed.remove(0);
    let bytes = export(&mut giver, &clutch);

    let mut taker = Driver::installing(vec!["python3".into()], bare(&scratch, "taker"));
    let parts: Vec<&[u8]> = bytes.chunks(100).collect();
    let imported = import(&mut taker, &parts).unwrap();
    assert_eq!(imported.installed[0].requirement, "clutch>=1");
    assert_eq!(imported.installed[0].wheels, clutch.wheels);
    let session = taker.session();
    assert_eq!(taker.script(session, "import clutch, gearbox"), None);

    // Nothing is asked for it, nor installed again; not in the next server either.
    assert_eq!(prepare(&mut taker, &requires("clutch>=1")).unwrap(), imported);
    assert_eq!(import(&mut taker, &[&bytes]).unwrap(), imported);
    drop(taker);
    let mut taker = Driver::installing(vec!["python3".into()], bare(&scratch, "taker"));
    assert_eq!(prepare(&mut taker, &requires("clutch>=1")).unwrap(), imported);
    assert_eq!(export(&mut taker, &imported.installed[0]), bytes);
}

#[test]
fn what_is_not_installed_cannot_be_exported() {
    let scratch = Scratch::new("gone");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    let gone = Installed { requirement: "x".into(), path: "/d/1".into(), wheels: Vec::new() };
    let worker = driver.pool.export(&gone);
    let Some(FromWorker::Exported(Err(why))) = driver.next_within(worker, PATIENCE) else {
        panic!("it was exported");
    };
    assert_eq!(why, ["it is not installed any more"]);

    let gearbox = prepare(&mut driver, &requires("gearbox")).unwrap().installed.remove(0);
    fs::remove_dir_all(Path::new(&gearbox.path).join("wheels")).unwrap();
    let worker = driver.pool.export(&gearbox);
    let Some(FromWorker::Exported(Err(why))) = driver.next_within(worker, PATIENCE) else {
        panic!("it was exported");
    };
    assert_eq!(why, ["its wheels are not there any more"]);
}

#[test]
fn an_installer_that_ends_early_is_an_error_with_a_reason() {
    let scratch = Scratch::new("early");
    // It surveys, and ends at once for any other job.
    let path = scratch.0.join("python");
    let script = "#!/bin/sh\n\
         case \"$6\" in install|import) echo 'log no mood'; exit 3;; esac\n\
         exec python3 \"$@\"\n";
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut driver = Driver::installing(vec![path.into()], scratch.packages());
    let lines = prepare(&mut driver, &requires("gearbox")).unwrap_err();
    assert_eq!(lines[1], "the installer ended early: the log says more");
    let (_, minor) = version(&"python3".into());
    let mark = format!("mainspring-requirement 1 3.{minor}\n");
    let lines = import(&mut driver, &[mark.as_bytes()]).unwrap_err();
    assert_eq!(lines, ["the installer ended early: the log says more"]);
    assert!(driver.printed.iter().any(|line| line == "no mood"), "{:#?}", driver.printed);
}

#[test]
fn wheels_that_are_none_and_directories_that_are_not_there_are_told() {
    let scratch = Scratch::new("none");
    fs::write(scratch.0.join("wheels/spoiled-1.0-py3-none-any.whl"), "not an archive").unwrap();
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    let spoiled = scratch.0.join("wheels/spoiled-1.0-py3-none-any.whl");
    let lines = prepare(&mut driver, &requires(spoiled.to_str().unwrap())).unwrap_err();
    assert!(lines.len() > 1 && lines.iter().any(|line| line.contains("spoiled")), "{lines:?}");

    let gearbox = scratch.0.join("wheels/gearbox-1.0-py3-none-any.whl");
    let wheels = Some(scratch.0.join("nowhere"));
    let packages = Packages { directory: Some(scratch.0.join("other")), wheels };
    let mut driver = Driver::installing(vec!["python3".into()], packages);
    prepare(&mut driver, &requires(gearbox.to_str().unwrap())).unwrap();
    let told = driver.printed.iter().any(|line| line.contains("is no directory"));
    assert!(told, "{:#?}", driver.printed);
}

/// Makes something hostile of what was exported.
const TAMPER: &str = r##"
import hashlib, io, json, sys, zipfile
mark, line, wheels = open(sys.argv[2], "rb").read().split(b"\n", 2)
header = json.loads(line)
def write(how):
    if how == "name":
        header["wheels"][0][0] = "../../gearbox-1.0-py3-none-any.whl"
    elif how == "twice":
        header["wheels"].append(header["wheels"][0])
    elif how == "requirement":
        header["requirement"] = "-r/etc/passwd"
    elif how == "shape":
        header["wheels"] = [[["x"], 1, 2]]
    elif how == "size":
        header["wheels"][0][1] = 10 ** 30
    elif how == "negative":
        header["wheels"][0][1] = -5
    elif how == "changed":
        return b"\n".join([mark, line, wheels[:-1] + b"\xff"])
    elif how == "truncated":
        return b"\n".join([mark, line, wheels[:-1]])
    elif how == "longer":
        return b"\n".join([mark, line, wheels + b"x"])
    elif how == "headless":
        return mark + b"\n" + line
    elif how == "deep":
        return mark + b"\n" + b"[" * 100000 + b"\n"
    elif how == "junk":
        header["wheels"], archive = [["a-1-py3-none-any.whl", 4, hashlib.sha256(b"junk").hexdigest()]], b"junk"
        return b"\n".join([mark, json.dumps(header).encode(), archive])
    elif how == "outside":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as wheel:
            wheel.writestr("../../../../escaped.py", "")
            wheel.writestr("a-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: a\nVersion: 1\n")
            wheel.writestr("a-1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr("a-1.dist-info/RECORD", "../../../../escaped.py,,\n")
        archive = file.getvalue()
        header["wheels"] = [["a-1-py3-none-any.whl", len(archive), hashlib.sha256(archive).hexdigest()]]
        return b"\n".join([mark, json.dumps(header).encode(), archive])
    return b"\n".join([mark, json.dumps(header).encode(), wheels])
sys.stdout.buffer.write(write(sys.argv[1]))
"##;

#[test]
fn what_was_tampered_with_is_refused_and_leaves_nothing() {
    let scratch = Scratch::new("hostile");
    let mut giver = Driver::installing(vec!["python3".into()], scratch.packages());
    let gearbox = prepare(&mut giver, &requires("gearbox")).unwrap().installed.remove(0);
    let exported = scratch.0.join("exported");
    fs::write(&exported, export(&mut giver, &gearbox)).unwrap();
    let mut taker = Driver::installing(vec!["python3".into()], bare(&scratch, "deep/er/taker"));

    for (how, why) in [
        ("name", "is no wheel's name"),
        ("twice", "its list of wheels cannot be"),
        ("requirement", "its name is none"),
        ("shape", "its list of wheels cannot be"),
        ("size", "has no size"),
        ("negative", "has no size"),
        ("changed", "was changed on its way"),
        ("truncated", "it is truncated"),
        ("longer", "something follows its end"),
        ("headless", "its header has no end"),
        ("deep", "its header cannot be read"),
        ("junk", "is no archive"),
        ("outside", "outside"),
    ] {
        let made =
            Command::new("python3").args(["-c", TAMPER, how]).arg(&exported).output().unwrap();
        assert!(made.status.success(), "{how}: {}", String::from_utf8_lossy(&made.stderr));
        let lines = import(&mut taker, &[&made.stdout]).unwrap_err();
        assert!(lines.iter().any(|line| line.contains(why)), "{how}: {lines:?}");
    }
    let lines = import(&mut taker, &[b"GEARS_DT0"]).unwrap_err();
    assert!(lines[0].contains("does not begin as one"), "{lines:?}");
    let lines = import(&mut taker, &[b"mainspring-requirement 1 3.1\n{}"]).unwrap_err();
    assert!(lines[0].contains("for Python 3.1,"), "{lines:?}");

    let left = walk(&scratch.0.join("deep/er/taker"));
    assert!(left.is_empty(), "{left:?}");
    let escaped = Command::new("find").arg(&scratch.0).args(["-name", "escaped*"]).output();
    assert!(escaped.unwrap().stdout.is_empty());
    let session = taker.session();
    assert!(taker.script(session, "import gearbox").unwrap().contains("ModuleNotFoundError"));
}

#[test]
fn a_session_finds_files_that_are_more_than_modules() {
    let scratch = Scratch::new("files");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    prepare(&mut driver, &requires("clutch")).unwrap();
    // What lies in a wheel's .data goes where pip says.
    prepare(&mut driver, &requires("lever")).unwrap();
    for session in [driver.session(), driver.session()] {
        let check = "import sys, os, clutch, lever\n\
             assert sys.clutched\n\
             assert os.access(os.path.join(os.path.dirname(clutch.__file__), 'tool'), os.X_OK)";
        assert_eq!(driver.script(session, check), None);
    }
}

#[test]
fn what_a_package_has_started_is_not_left_unconfined() {
    let scratch = Scratch::new("confined");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    prepare(&mut driver, &requires("flywheel")).unwrap();
    for _ in 0..3 {
        let worker = driver.pool.start(&SessionSpec {
            name: "kept".into(),
            threads: 3,
            forbidden: vec![Forbidden::Writing],
            ..SessionSpec::default()
        });
        let error = driver.script(worker, "import flywheel").unwrap();
        assert!(error.contains("script was not run"), "{error}");
    }
}

#[test]
fn processes_that_wait_for_a_session_learn_of_new_packages() {
    let scratch = Scratch::new("waiting");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    let before: Vec<WorkerId> = (0..2).map(|_| driver.session()).collect();
    prepare(&mut driver, &requires("gearbox")).unwrap();
    for _ in 0..3 {
        let session = driver.session();
        assert_eq!(driver.script(session, "import gearbox"), None);
    }
    // Sessions that had begun stay as they are.
    for session in before {
        assert!(driver.script(session, "import gearbox").unwrap().contains("ModuleNotFoundError"));
    }
}

#[test]
fn what_the_next_script_will_import_is_imported_while_nobody_waits() {
    let scratch = Scratch::new("expected");
    let mut driver = Driver::installing(vec!["python3".into()], scratch.packages());
    for requirement in ["redgrease", "gearbox"] {
        prepare(&mut driver, &requires(requirement)).unwrap();
    }
    // The two processes that wait already have begun otherwise.
    for (requirement, check) in [("redgrease", "assert {}"), ("gearbox", "assert not {}")] {
        prepare(&mut driver, &requires(requirement)).unwrap();
        let sessions = [(); 3].map(|()| {
            driver.pump();
            driver.session()
        });
        let check = check.replace("{}", "'redgrease' in sys.modules");
        assert_eq!(driver.script(sessions[2], &format!("import sys; {check}")), None);
    }
}

#[test]
fn which_wheels_do_is_found_out_once_for_all_servers() {
    let scratch = Scratch::new("resolved");
    // A python whose pip cannot be loaded.
    let whole = scratch.interpreter("LC_ALL=C", "-I");
    let crippled = scratch.interpreter("LC_ALL=C", "-I -S");
    let install = |directory: &str, interpreter: &OsString, requirement: &str| {
        let packages = Packages {
            directory: Some(scratch.0.join(directory)),
            wheels: Some(scratch.0.join("wheels")),
        };
        let mut driver = Driver::installing(vec![interpreter.clone()], packages);
        prepare(&mut driver, &requires(requirement))
    };
    let first = install("first", &whole, "clutch").unwrap();
    let second = install("second", &crippled, "clutch").unwrap();
    assert_eq!(second.installed[0].wheels, first.installed[0].wheels);
    assert!(install("third", &crippled, "clutch>0").unwrap_err()[1].contains("pip is missing"));

    // Another wheel may do better.
    fs::write(scratch.0.join("wheels/new-1.0-py3-none-any.whl"), "").unwrap();
    assert!(install("fourth", &crippled, "clutch").unwrap_err()[1].contains("pip is missing"));
}

#[test]
fn where_neither_an_index_nor_wheels_are_scripts_are_told_soon() {
    let scratch = Scratch::new("silent");
    // One refuses, the other takes the connection and never answers.
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (address, patience) in [(refusing, 60), (silent.local_addr().unwrap(), 120)] {
        let settings = format!("PIP_INDEX_URL=http://{address}/simple PIP_NO_CACHE_DIR=1");
        let interpreter = scratch.interpreter(&settings, "-I");
        let mut driver = Driver::installing(vec![interpreter], bare(&scratch, "offline"));
        let start = Instant::now();
        // Two that wait for the same share the answer.
        let waiting = [(); 2].map(|()| match driver.pool.prepare(&requires("gearbox")) {
            Preparing::Waiting(worker) => worker,
            Preparing::Ready(prepared) => panic!("{prepared:?}"),
        });
        for worker in waiting {
            let outcome = driver.next_within(worker, Duration::from_secs(patience));
            let Some(FromWorker::Prepared(Err(lines))) = outcome else {
                panic!("{outcome:?} after {:?}; {:#?}", start.elapsed(), driver.printed);
            };
            assert!(lines[0].starts_with("Could not satisfy requirements"), "{lines:?}");
            assert!(lines.last().unwrap().contains("no package index answered"), "{lines:?}");
        }
        let began = driver.printed.iter().filter(|line| line.contains("installing gearbox"));
        assert_eq!(began.count(), 1, "{:#?}", driver.printed);
        eprintln!("told after {:?}", start.elapsed());
    }
}

fn walk(directory: &Path) -> Vec<PathBuf> {
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
