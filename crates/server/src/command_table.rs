use std::cell::Cell;

use command_spec::{Arity, CommandSpec, Flags};

use crate::state::ServerCommand;

/// What a command does when it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handler {
    /// Acts on the selected database only.
    Data(&'static commands::Command),
    /// Acts on the server: clients, configuration, subscriptions, transactions.
    Server(&'static ServerCommand),
    /// RG.*: the function engine's.
    Function,
    /// HELP of a command that has subcommands.
    Help,
    /// Has subcommands only.
    Container,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) spec: CommandSpec,
    pub(crate) handler: Handler,
    /// Words before the arguments: 1, or 2 for a subcommand.
    pub(crate) words: usize,
    pub(crate) has_subcommands: bool,
    /// Its work is bounded: timed together with its likes.
    pub(crate) is_quick: bool,
    pub(crate) statistics: CommandStatistics,
    /// Functions stand in for it.
    pub(crate) hooked: bool,
    /// Functions wait for its events.
    pub(crate) caused: bool,
    /// Functions run before it deletes keys.
    pub(crate) foretold: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommandStatistics {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    pub(crate) microseconds: u64,
}

/// Every command by name. A name is found by its bytes folded to lower case, without copying it.
#[derive(Debug)]
pub(crate) struct CommandTable {
    entries: Vec<Entry>,
    /// Open addressing over `entries`; `EMPTY` ends a probe.
    slots: Vec<u16>,
    /// Short names as they were spelt lately, and what they mean: clients send the same few over and over.
    recent: [Cell<Recent>; RECENT],
}

#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    spelling: u64,
    index: u16,
}

const RECENT: usize = 32;

const EMPTY: u16 = u16::MAX;

/// Why no command was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    Command,
    /// The command exists and has no such subcommand.
    Subcommand,
}

impl CommandTable {
    pub(crate) fn new(
        server: &[&'static ServerCommand],
        functions: impl Iterator<Item = CommandSpec>,
    ) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let all = commands::all()
            .map(|command| (command.spec, Handler::Data(command)))
            .chain(server.iter().map(|command| (command.spec, Handler::Server(command))))
            .chain(functions.map(|spec| (spec, Handler::Function)));
        for (spec, handler) in all {
            if let Some((container, _)) = spec.name.split_once('|') {
                match entries.iter_mut().find(|entry| entry.spec.name == container) {
                    Some(entry) => entry.has_subcommands = true,
                    None => entries.push(Entry::container(container, &spec)),
                }
            }
            entries.push(Entry::new(spec, handler));
        }
        let containers: Vec<CommandSpec> =
            entries.iter().filter(|entry| entry.has_subcommands).map(|entry| entry.spec).collect();
        entries.extend(containers.iter().map(Entry::help_of));
        entries.sort_by_key(|entry| entry.spec.name);
        assert!(
            entries.windows(2).all(|pair| pair[0].spec.name != pair[1].spec.name),
            "command names are unique"
        );

        let capacity = (entries.len() * 4).next_power_of_two();
        let mut slots = vec![EMPTY; capacity];
        for (index, entry) in entries.iter().enumerate() {
            let mut slot = fold_hash(entry.spec.name.as_bytes()) & (capacity - 1);
            while slots[slot] != EMPTY {
                slot = (slot + 1) & (capacity - 1);
            }
            slots[slot] = index as u16;
        }
        CommandTable { entries, slots, recent: Default::default() }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn entry(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    pub(crate) fn entry_mut(&mut self, index: usize) -> &mut Entry {
        &mut self.entries[index]
    }

    /// Which commands functions mind, subcommands by the name of their container.
    pub(crate) fn mind(&mut self, hooked: &[&str], caused: &[&str]) {
        for entry in &mut self.entries {
            let name = entry.spec.name;
            let name = name.split_once('|').map_or(name, |(container, _)| container);
            entry.hooked = hooked.contains(&name);
            entry.caused = caused.contains(&name);
        }
    }

    /// Which commands functions want to be told of beforehand.
    pub(crate) fn foretell(&mut self, foretold: &[&str]) {
        for entry in &mut self.entries {
            entry.foretold = foretold.contains(&entry.spec.name);
        }
    }

    pub(crate) fn reset_statistics(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.statistics = CommandStatistics::default());
    }

    /// The command of a request: its subcommand's entry where it has any.
    #[inline]
    pub(crate) fn find(&self, request: &[&[u8]]) -> Result<usize, Unknown> {
        let Some(spelling) = short_spelling(request[0]) else { return self.find_slowly(request) };
        let recent = &self.recent[(spelling.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 59) as usize];
        if recent.get().spelling == spelling {
            return Ok(recent.get().index as usize);
        }
        let index = self.find_slowly(request)?;
        if !self.entries[index].has_subcommands && self.entries[index].words == 1 {
            recent.set(Recent { spelling, index: index as u16 });
        }
        Ok(index)
    }

    fn find_slowly(&self, request: &[&[u8]]) -> Result<usize, Unknown> {
        let index = self.by_name(request[0]).ok_or(Unknown::Command)?;
        if !self.entries[index].has_subcommands {
            return Ok(index);
        }
        let Some(subcommand) = request.get(1) else { return Ok(index) };
        let name = [request[0], b"|", subcommand].concat();
        self.by_name(&name).ok_or(Unknown::Subcommand)
    }

    #[inline]
    pub(crate) fn by_name(&self, name: &[u8]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = fold_hash(name) & mask;
        loop {
            let index = self.slots[slot];
            if index == EMPTY {
                return None;
            }
            if self.entries[index as usize].spec.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(index as usize);
            }
            slot = (slot + 1) & mask;
        }
    }

    pub(crate) fn subcommands<'a>(
        &'a self,
        container: &'a str,
    ) -> impl Iterator<Item = &'a Entry> + 'a {
        self.entries.iter().filter(move |entry| {
            entry.spec.name.split_once('|').is_some_and(|(parent, _)| parent == container)
        })
    }
}

/// A name of up to seven bytes with its length, as one number; never 0.
#[inline]
fn short_spelling(name: &[u8]) -> Option<u64> {
    let len = name.len();
    let word = |at: usize| {
        u64::from(u32::from_le_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]))
    };
    match len {
        // Overlapping halves: bytes that both hold are the same bytes.
        4..=7 => Some(word(0) | word(len - 4) << (8 * (len - 4)) | (len as u64) << 56),
        1..=3 => {
            let byte = |at: usize| u64::from(name[at]);
            Some(byte(0) | byte(len / 2) << 8 | byte(len - 1) << 16 | (len as u64) << 56)
        }
        _ => None,
    }
}

/// A hash that does not see the case of letters. Collisions cost a comparison, nothing else.
#[inline]
fn fold_hash(name: &[u8]) -> usize {
    let mut hash = name.len() as u64;
    for chunk in name.chunks(8) {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let folded = u64::from_le_bytes(word) | 0x2020_2020_2020_2020;
        hash = (hash ^ folded).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (hash >> 32) as usize
}

impl Entry {
    fn new(spec: CommandSpec, handler: Handler) -> Self {
        // SET is not among Redis' fast commands for the sake of large values that it may free.
        let is_quick = spec.flags.contains(Flags::FAST) || spec.name == "set";
        let words = if spec.name.contains('|') { 2 } else { 1 };
        Entry {
            spec,
            handler,
            words,
            has_subcommands: false,
            is_quick,
            statistics: CommandStatistics::default(),
            hooked: false,
            caused: false,
            foretold: false,
        }
    }

    fn help_of(container: &CommandSpec) -> Self {
        // A table lives as long as the program does, and names with it.
        let name = Box::leak(format!("{}|help", container.name).into_boxed_str());
        let summary = "Returns helpful text about the different subcommands.";
        let spec = CommandSpec::new(name, container.group, Arity::Exactly(2), summary)
            .flags(Flags::LOADING.and(Flags::STALE))
            .since("5.0.0");
        Entry::new(spec, Handler::Help)
    }

    fn container(name: &'static str, child: &CommandSpec) -> Self {
        let spec =
            CommandSpec::new(name, child.group, Arity::AtLeast(2), "A container for subcommands.")
                .categories(&[]);
        Entry { has_subcommands: true, ..Entry::new(spec, Handler::Container) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    #[test]
    fn commands_are_found_whatever_their_case() {
        let table = State::command_table();
        let name =
            |request: &[&[u8]]| table.find(request).map(|index| table.entry(index).spec.name);
        assert_eq!(name(&[b"gEt", b"k"]), Ok("get"));
        assert_eq!(name(&[b"OBJECT", b"Encoding", b"k"]), Ok("object|encoding"));
        assert_eq!(name(&[b"object"]), Ok("object"));
        assert_eq!(name(&[b"object", b"nosuch"]), Err(Unknown::Subcommand));
        assert_eq!(name(&[b"nosuch"]), Err(Unknown::Command));
        assert_eq!(name(&[b""]), Err(Unknown::Command));
    }

    #[test]
    fn short_spellings_are_told_apart() {
        let names: [&[u8]; 9] =
            [b"get", b"Get", b"set", b"del", b"a", b"aa", b"aaa", b"incr", b"expire"];
        let mut spellings: Vec<_> =
            names.iter().map(|name| short_spelling(name).unwrap()).collect();
        spellings.sort_unstable();
        spellings.dedup();
        assert_eq!(spellings.len(), names.len());
        assert_eq!((short_spelling(b""), short_spelling(b"subscribe")), (None, None));
    }

    #[test]
    fn a_name_means_the_same_the_second_time() {
        let table = State::command_table();
        for request in
            [&[&b"get"[..], b"k"][..], &[b"config", b"get", b"x"], &[b"config", b"set", b"x", b"y"]]
        {
            let first = table.find(request);
            assert_eq!(table.find(request), first);
            assert!(first.is_ok());
        }
        assert_eq!(table.find(&[b"config", b"nosuch"]), Err(Unknown::Subcommand));
    }
}
