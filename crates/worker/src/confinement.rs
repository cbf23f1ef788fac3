//! What this system can refuse a worker's process. The worker does it itself, at the beginning of its session:
//! `confinement.py`. Here it is only asked whether it could.

use functions::worker::Forbidden;

use crate::sys;

/// The first version of Landlock that knows of every way to change a file's contents.
const LANDLOCK_ABI_MIN: usize = 3;

/// As the worker calls it.
pub(crate) fn name(what: Forbidden) -> &'static str {
    match what {
        Forbidden::Processes => "processes",
        Forbidden::Network => "network",
        Forbidden::Writing => "writing",
    }
}

/// Otherwise what it would need.
pub(crate) fn is_available(what: Forbidden) -> Result<(), String> {
    // The filter names system calls by their numbers on this machine.
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return Err("a filter of system calls, which is there on x86-64 and ARM64 only".into());
    }
    sys::find_seccomp().map_err(|error| format!("seccomp filters: {error}"))?;
    if what == Forbidden::Writing {
        let abi = sys::landlock_abi()
            .map_err(|error| format!("Landlock, as Linux 6.2 has it: {error}"))?;
        if abi < LANDLOCK_ABI_MIN {
            return Err(format!("Landlock, as Linux 6.2 has it: here is its version {abi}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_told_with_a_reason() {
        for what in Forbidden::ALL {
            if let Err(why) = is_available(what) {
                assert!(why.contains("seccomp") || why.contains("Landlock"), "{why}");
            }
        }
    }
}
