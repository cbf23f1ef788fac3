//! gears-cli 1.2.0 and gearsclient 1.0.2, unmodified: what they can do works on our server.

mod environments;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use environments::environment;
use test_support::{Client, ServerProcess};

#[test]
#[ignore = "needs the virtual environments that `cargo xtask test` makes"]
fn gears_cli_runs_scripts_and_carries_requirements_from_server_to_server() {
    let giver = server(&["--requirements-wheels", text(&environment("redgrease").join("wheels"))]);
    let write = |name: &str, text: &str| {
        let path = giver.directory().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let count =
        write("count.py", "GB('ShardsIDReader').flatmap(lambda _: ['spring', 'wheel']).run()");
    let (ok, said) = gears_cli(&giver, &["run", text(&count)]);
    assert!(ok && said.contains("spring") && said.contains("wheel"), "{said}");

    let fail = write("fail.py", "GB('ShardsIDReader').map(lambda _: 1 / 0).run()");
    let (ok, said) = gears_cli(&giver, &["run", text(&fail)]);
    assert!(!ok && said.contains("ZeroDivisionError"), "{said}");
    let (ok, said) = gears_cli(&giver, &["run", text(&write("broken.py", "x"))]);
    assert!(!ok && said.contains("name 'x' is not defined"), "{said}");

    // Requirements by themselves, and of a script that stays.
    let (ok, said) = gears_cli(&giver, &["install-requirements", "requests"]);
    assert!(ok && said.contains("Done"), "{said}");
    let list = write("requirements.txt", "packaging\nwrapt\n");
    let stays = write(
        "stays.py",
        "import packaging\nGB('CommandReader').map(lambda _: packaging.__name__).register(trigger='which')",
    );
    let (ok, said) = gears_cli(&giver, &["run", text(&stays), "--requirements", text(&list)]);
    assert!(ok && said.contains("OK"), "{said}");
    let (ok, said) = gears_cli(&giver, &["install-requirements", "/no/such/place.whl"]);
    assert!(!ok && said.contains("Could not satisfy requirements"), "{said}");

    // Out of one server: by name, by registration, all.
    let [by_name, by_registration, all] = ["by-name", "by-registration", "all"].map(|name| {
        let path = giver.directory().join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    let export = |into: &Path, what: &[&str]| {
        let mut arguments = vec!["export-requirements", "--save-directory", text(into)];
        arguments.extend(what);
        gears_cli(&giver, &arguments)
    };
    let (ok, said) = export(&by_name, &["--requirement", "requests"]);
    assert!(ok, "{said}");
    let (ok, said) = export(&by_name, &["--requirement", "nosuch"]);
    assert!(!ok && said.contains("requirement does not exists"), "{said}");
    let (ok, said) = export(&by_registration, &["--registration-id", &registration(&giver)]);
    assert!(ok, "{said}");
    let (ok, said) = export(&all, &["--all"]);
    assert!(ok, "{said}");
    assert_eq!(files(&by_name), [zip("requests")]);
    assert_eq!(files(&by_registration), [zip("packaging"), zip("wrapt")]);
    assert_eq!(files(&all), [zip("packaging"), zip("requests"), zip("wrapt")]);

    // Into another, which has neither wheels nor a network to ask.
    let taker = server(&[]);
    let (ok, said) = gears_cli(
        &taker,
        &[
            "import-requirements",
            "--requirements-path",
            text(&all),
            &zip("requests"),
            &zip("wrapt"),
        ],
    );
    assert!(ok && said.matches("imported successfully").count() == 2, "{said}");
    let uses = write(
        "uses.py",
        "import requests\nGB('ShardsIDReader').map(lambda _: requests.__name__).run()",
    );
    let list = write("requests.txt", "requests\n");
    let (ok, said) = gears_cli(&taker, &["run", text(&uses), "--requirements", text(&list)]);
    assert!(ok && said.contains("requests"), "{said}");
    assert!(!taker.log().contains("installing"), "{}", taker.log());

    let junk = giver.directory().join("junk.zip");
    let made = Command::new("python3")
        .args([
            "-c",
            "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('Data.bin', 'junk')",
        ])
        .arg(&junk)
        .status();
    assert!(made.unwrap().success());
    let at = text(giver.directory());
    let (ok, said) =
        gears_cli(&taker, &["import-requirements", "--requirements-path", at, "junk.zip"]);
    assert!(!ok && said.contains("no requirement that was exported here"), "{said}");
}

#[test]
#[ignore = "needs the virtual environments that `cargo xtask test` makes"]
fn gearsclient_builds_functions_and_gets_their_results() {
    let server = server(&["--requirements-wheels", text(&environment("redgrease").join("wheels"))]);
    let program: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../tests/gears-clients/remote_builder.py"]
            .iter()
            .collect();
    let output = Command::new(environment("gearsclient").join("bin/python"))
        .arg("-B")
        .arg(program)
        .arg(server.address().port().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\nserver:\n{}", server.log());
}

/// On the Python of the environments, which pickles for it.
fn server(options: &[&str]) -> ServerProcess {
    environments::server(&environment("gearsclient"), options)
}

/// Whether it ended well, and what it said.
fn gears_cli(server: &ServerProcess, arguments: &[&str]) -> (bool, String) {
    let (command, rest) = arguments.split_first().expect("gears-cli has commands");
    let output = Command::new(environment("gears-cli").join("bin/gears-cli"))
        .args([command, "--host", "127.0.0.1", "--port"])
        .arg(server.address().port().to_string())
        .args(rest)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn registration(server: &ServerProcess) -> String {
    let mut client = Client::open(server).unwrap();
    let listed = client.call(&["RG.DUMPREGISTRATIONS"]).unwrap().to_string();
    let id = listed.split('"').find(|word| word.contains("-") && word.len() > 40);
    id.unwrap_or_else(|| panic!("{listed}")).to_owned()
}

/// The name under which gears-cli saves a requirement.
fn zip(requirement: &str) -> String {
    let system = if cfg!(target_arch = "aarch64") { "linux-arm64" } else { "linux-x64" };
    format!("redisgears-requirement-v1-{requirement}-{system}.zip")
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the paths of tests are UTF-8")
}
