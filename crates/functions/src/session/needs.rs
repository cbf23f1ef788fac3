//! What a script needs, as far as its text tells.

use crate::worker::Needs;

/// What redgrease writes before the version of the Python that pickled its functions.
const VERSION_MARK: &[u8] = b"python_version=(";

pub(crate) fn needs_of(code: &[u8], requirements: &[String]) -> Needs {
    Needs {
        python: python_of(code),
        requirements: requirements.to_vec(),
        again: false,
        // Functions can be pickled without it; classes that the script defines cannot.
        cloudpickle: contains(code, b"cloudpickle")
            || (contains(code, b"class ") && contains(code, b"register")),
    }
}

fn python_of(code: &[u8]) -> Option<(u32, u32)> {
    // The version follows the pickle, which may contain anything.
    let at = code.windows(VERSION_MARK.len()).rposition(|window| window == VERSION_MARK)?;
    let version = &code[at + VERSION_MARK.len()..];
    let mut numbers = version.split(|byte| *byte == b',').map(|number| {
        let digits = str::from_utf8(number).ok()?;
        digits.trim().parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pickled_function_names_its_python() {
        let code = b"f = deserialize_gear_function(b'..', python_version=(3, 11, 7, 'final', 0))\n";
        assert_eq!(python_of(code), Some((3, 11)));
        assert_eq!(python_of(b"GB().run()"), None);
        assert_eq!(python_of(b"python_version=(x, 1)"), None);
        assert_eq!(python_of(b"python_version=("), None);
    }

    #[test]
    fn a_script_that_registers_with_classes_of_its_own_needs_cloudpickle() {
        let needs = |code: &[u8]| needs_of(code, &[]).cloudpickle;
        assert!(needs(b"class A: pass\nGB().map(lambda x: A()).register()"));
        assert!(needs(b"import cloudpickle"));
        assert!(!needs(b"class A: pass\nGB().run()"));
        assert!(!needs(b"GB().register()"));
    }
}
