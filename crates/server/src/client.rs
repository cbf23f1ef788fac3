use std::collections::VecDeque;
use std::net::SocketAddr;

use hashbrown::HashSet;
use resp::Protocol;

use crate::blocking::Blocked;
use crate::pubsub::Subscription;
use crate::transaction::Transaction;

/// Where a client stands in the server's list; used again once the client is gone.
pub(crate) type Slot = usize;

/// The state of a client: everything but its socket.
#[derive(Debug)]
pub(crate) struct Client {
    /// Never used again, unlike the slot.
    pub(crate) id: u64,
    pub(crate) address: Address,
    pub(crate) name: Vec<u8>,
    pub(crate) library_name: Vec<u8>,
    pub(crate) library_version: Vec<u8>,
    pub(crate) database: usize,
    pub(crate) protocol: Protocol,
    pub(crate) authenticated: bool,
    pub(crate) connected_ms: i64,
    pub(crate) active_ms: i64,
    pub(crate) last_command: Option<usize>,
    pub(crate) transaction: Transaction,
    pub(crate) channels: HashSet<Vec<u8>>,
    pub(crate) patterns: HashSet<Vec<u8>>,
    pub(crate) shard_channels: HashSet<Vec<u8>>,
    /// Waits for a key.
    pub(crate) blocked: Option<Box<Blocked>>,
    /// Replies that functions owe, in the order of their requests.
    pub(crate) pending: VecDeque<Pending>,
    /// Its writes are ahead of functions: the name of the call by which it goes on.
    pub(crate) held: Option<u64>,
    /// Stands in the list of clients that see every command.
    pub(crate) is_monitor: bool,
    /// CLIENT REPLY.
    pub(crate) reply_mode: ReplyMode,
    pub(crate) output: Vec<u8>,
    /// Bytes of `output` already sent.
    pub(crate) sent: usize,
    /// It has had more unsent bytes than its soft limit, and is closed if that lasts until then.
    pub(crate) behind_until_ms: Option<i64>,
    /// Stands in the list of clients to write to.
    pub(crate) has_output: bool,
    /// To be closed once its output is written.
    pub(crate) closing: bool,
    /// Total of bytes and requests, for CLIENT LIST.
    pub(crate) commands: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// The server itself: functions' `execute()`.
    Internal,
    /// A thread of a function that waits for a command.
    Function,
    Tcp {
        peer: SocketAddr,
        local: SocketAddr,
    },
    Unix {
        path: String,
    },
    /// Another thread of this process. Tools expect an address and a port: these are nobody's.
    InProcess,
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) call: u64,
    pub(crate) wire: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    #[default]
    On,
    Off,
    /// SKIP: off for the next command.
    SkipNext,
}

impl Client {
    pub(crate) fn new(id: u64, address: Address, now_ms: i64, authenticated: bool) -> Self {
        Client {
            id,
            address,
            name: Vec::new(),
            library_name: Vec::new(),
            library_version: Vec::new(),
            database: 0,
            protocol: Protocol::Resp2,
            authenticated,
            connected_ms: now_ms,
            active_ms: now_ms,
            last_command: None,
            transaction: Transaction::default(),
            channels: HashSet::new(),
            patterns: HashSet::new(),
            shard_channels: HashSet::new(),
            blocked: None,
            pending: VecDeque::new(),
            held: None,
            is_monitor: false,
            reply_mode: ReplyMode::On,
            output: Vec::new(),
            sent: 0,
            behind_until_ms: None,
            has_output: false,
            closing: false,
            commands: 0,
        }
    }

    pub(crate) fn is_internal(&self) -> bool {
        matches!(self.address, Address::Internal | Address::Function)
    }

    /// Whether a command may block it.
    pub(crate) fn may_wait(&self) -> bool {
        !matches!(self.address, Address::Internal)
    }

    /// The names that it has subscribed to.
    pub(crate) fn subscribed(&mut self, to: Subscription) -> &mut HashSet<Vec<u8>> {
        match to {
            Subscription::Channel => &mut self.channels,
            Subscription::Pattern => &mut self.patterns,
            Subscription::ShardChannel => &mut self.shard_channels,
        }
    }

    /// As SUBSCRIBE and its kin count them: sharded channels are counted apart.
    pub(crate) fn subscriptions(&self, to: Subscription) -> usize {
        match to {
            Subscription::Channel | Subscription::Pattern => {
                self.channels.len() + self.patterns.len()
            }
            Subscription::ShardChannel => self.shard_channels.len(),
        }
    }

    pub(crate) fn is_subscriber(&self) -> bool {
        !(self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty())
    }

    /// In RESP2 a subscriber may only manage its subscriptions: its replies and messages could not be told apart.
    pub(crate) fn is_restricted_to_subscriptions(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.is_subscriber()
    }

    /// Whether requests that came already must wait.
    pub(crate) fn is_waiting(&self) -> bool {
        self.blocked.is_some() || !self.pending.is_empty() || self.held.is_some()
    }

    pub(crate) fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Internal => f.write_str("internal"),
            Address::Function => f.write_str("function"),
            Address::Tcp { peer, .. } => peer.fmt(f),
            Address::Unix { path } => write!(f, "{path}:0"),
            Address::InProcess => f.write_str("127.0.0.1:0"),
        }
    }
}
