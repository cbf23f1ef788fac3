use resp::ReplyWriter;

use crate::client::{Address, Client, Slot};

/// All clients by slot. Slot 0 is the server itself.
#[derive(Debug)]
pub(crate) struct Clients {
    slots: Vec<Option<Box<Client>>>,
    free: Vec<Slot>,
    next_id: u64,
    count: usize,
    /// Clients with output to write, each once.
    with_output: Vec<Slot>,
    /// Clients that wait no more: requests of theirs that came meanwhile can be executed.
    resumed: Vec<Slot>,
    /// Clients to be closed at the end of the turn.
    condemned: Vec<Slot>,
}

pub(crate) const INTERNAL: Slot = 0;

impl Clients {
    pub(crate) fn new() -> Self {
        let internal = Client::new(0, Address::Internal, 0, true);
        Clients {
            slots: vec![Some(Box::new(internal))],
            free: Vec::new(),
            next_id: 1,
            count: 0,
            with_output: Vec::new(),
            resumed: Vec::new(),
            condemned: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, address: Address, now_ms: i64, authenticated: bool) -> Slot {
        let client = Box::new(Client::new(self.next_id, address, now_ms, authenticated));
        self.next_id += 1;
        self.count += usize::from(!client.is_internal());
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(client);
                slot
            }
            None => {
                self.slots.push(Some(client));
                self.slots.len() - 1
            }
        }
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Box<Client>> {
        let client = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        self.count -= usize::from(!client.is_internal());
        self.with_output.retain(|other| *other != slot);
        self.resumed.retain(|other| *other != slot);
        self.condemned.retain(|other| *other != slot);
        Some(client)
    }

    /// Connected clients; the server itself is none.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<&Client> {
        self.slots.get(slot)?.as_deref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Client> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Client)> {
        let clients = self.slots.iter().enumerate().skip(1);
        let clients = clients.filter_map(|(slot, client)| Some((slot, client.as_deref()?)));
        clients.filter(|(_, client)| !client.is_internal())
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<Slot> {
        self.iter().find(|(_, client)| client.id == id).map(|(slot, _)| slot)
    }

    /// Writes to a client out of its turn: messages, late replies.
    pub(crate) fn write(&mut self, slot: Slot, write: impl FnOnce(&mut ReplyWriter<'_>)) {
        let Some(client) = self.get_mut(slot) else { return };
        let protocol = client.protocol;
        write(&mut ReplyWriter::new(&mut client.output, protocol));
        self.mark_output(slot);
    }

    /// Puts the client into the list of those to write to, if it is not there yet.
    #[inline]
    pub(crate) fn mark_output(&mut self, slot: Slot) {
        let Some(client) = self.get_mut(slot) else { return };
        if !client.has_output && !client.is_internal() {
            client.has_output = true;
            self.with_output.push(slot);
        }
    }

    /// The clients with output; the list begins anew.
    pub(crate) fn take_with_output(&mut self, into: &mut Vec<Slot>) {
        into.clear();
        std::mem::swap(into, &mut self.with_output);
        for slot in into.iter() {
            if let Some(client) = self.slots[*slot].as_deref_mut() {
                client.has_output = false;
            }
        }
    }

    /// Whether the turn that ends has left something for the next one.
    pub(crate) fn have_unfinished(&self) -> bool {
        !(self.with_output.is_empty() && self.resumed.is_empty() && self.condemned.is_empty())
    }

    pub(crate) fn resume(&mut self, slot: Slot) {
        self.resumed.push(slot);
    }

    pub(crate) fn take_resumed(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.resumed)
    }

    /// Closes the client at the end of the turn, its output written or not.
    pub(crate) fn condemn(&mut self, slot: Slot) {
        if slot != INTERNAL && !self.condemned.contains(&slot) {
            self.condemned.push(slot);
        }
    }

    pub(crate) fn take_condemned(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.condemned)
    }
}

impl std::ops::Index<Slot> for Clients {
    type Output = Client;

    /// Panics if the slot is free: the caller holds it only while the client lives.
    #[inline]
    fn index(&self, slot: Slot) -> &Client {
        self.slots[slot].as_deref().expect("the caller's slot is taken")
    }
}

impl std::ops::IndexMut<Slot> for Clients {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut Client {
        self.slots[slot].as_deref_mut().expect("the caller's slot is taken")
    }
}
