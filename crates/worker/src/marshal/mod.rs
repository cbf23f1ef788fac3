//! Python's `marshal` format, as far as the protocol needs it.
//!
//! To a worker we write version 4 (names once, then by reference); from a worker we read version 2, which has no
//! references: so a hostile process cannot make a small frame unfold into a large value.

mod big;
mod read;
mod write;

#[cfg(test)]
pub(crate) use read::read;
pub(crate) use read::read_and_judge;
pub(crate) use write::{Names, Writer};

/// A package's modules as one dict: their sources by their names.
pub(crate) fn sources(modules: &[(&str, &str)]) -> Vec<u8> {
    let (mut bytes, mut names) = (Vec::new(), Names::default());
    let mut to = Writer::new(&mut bytes, &mut names);
    to.open_dict();
    for (name, source) in modules {
        to.text(name);
        to.text(source);
    }
    to.close_dict();
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use functions::plan::Argument;

    use super::*;

    /// Answers with the repr of the value it was given, and the value itself, in the version that workers write.
    const ECHO: &str = "import sys, marshal\n\
        value = marshal.loads(sys.stdin.buffer.read())\n\
        sys.stdout.buffer.write(marshal.dumps((repr(value), value), 2))";

    fn through_python(value: &Argument) -> (String, Argument) {
        let (mut bytes, mut names) = (Vec::new(), Names::default());
        Writer::new(&mut bytes, &mut names).argument(value);
        let mut python = Command::new("python3")
            .args(["-I", "-c", ECHO])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        python.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success());
        match read(&output.stdout).unwrap() {
            Argument::Tuple(mut pair) => {
                let value = pair.pop().unwrap();
                let Some(Argument::Text(repr)) = pair.pop() else { panic!("no repr") };
                (repr, value)
            }
            other => panic!("{other:?}"),
        }
    }

    fn text(text: &str) -> Argument {
        Argument::Text(text.into())
    }

    #[test]
    fn python_reads_what_we_write_and_we_what_it_writes() {
        let values = vec![
            (Argument::None, "None".to_string()),
            (Argument::Bool(true), "True".into()),
            (Argument::Bool(false), "False".into()),
            (Argument::Float(-0.5), "-0.5".into()),
            (Argument::Float(1e300), "1e+300".into()),
            (text(""), "''".into()),
            (text("plain"), "'plain'".into()),
            (text("h\u{e9}\u{1f600}"), "'h\u{e9}\u{1f600}'".into()),
            (text(&"x".repeat(255)), format!("'{}'", "x".repeat(255))),
            (text(&"x".repeat(256)), format!("'{}'", "x".repeat(256))),
            (Argument::Bytes(b"\0\xff".to_vec()), r"b'\x00\xff'".into()),
            (Argument::List(vec![]), "[]".into()),
            (Argument::Tuple(vec![Argument::Int(1); 2]), "(1, 1)".into()),
            (
                Argument::Tuple(vec![Argument::None; 300]),
                format!("({})", vec!["None"; 300].join(", ")),
            ),
            (
                Argument::Dict(vec![(text("k"), Argument::List(vec![text("v")]))]),
                "{'k': ['v']}".into(),
            ),
            (Argument::Set(vec![Argument::Int(7)]), "{7}".into()),
        ];
        let mut all: Vec<(Argument, String)> = values;
        for shift in [0, 14, 15, 16, 30, 31, 32, 45, 59, 60, 61, 62] {
            for near in [-1, 0, 1] {
                let value = (1i64 << shift) + near;
                all.push((Argument::Int(value), value.to_string()));
                all.push((Argument::Int(-value), (-value).to_string()));
            }
        }
        all.push((Argument::Int(i64::MAX), i64::MAX.to_string()));
        all.push((Argument::Int(i64::MIN), i64::MIN.to_string()));
        for big in [
            "9223372036854775808",
            "-9223372036854775809",
            "1606938044258990275541962092341162602522202993782792835301376",
        ] {
            all.push((Argument::BigInt(big.into()), big.into()));
        }

        let (values, reprs): (Vec<Argument>, Vec<String>) = all.into_iter().unzip();
        let sent = Argument::List(values);
        let (repr, back) = through_python(&sent);
        assert_eq!(repr, format!("[{}]", reprs.join(", ")));
        assert_eq!(back, sent);
    }
}
