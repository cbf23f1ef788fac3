/// What INFO reports of the whole keyspace since it was made, or since the owner last reset it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub hits: u64,
    pub misses: u64,
    pub expired_keys: u64,
    /// Of the expired keys, those that no command had to come across.
    pub expired_keys_active: u64,
    pub evicted_keys: u64,
}

/// What INFO reports of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseStatistics {
    pub keys: usize,
    pub expiring: usize,
    pub average_ttl_ms: i64,
}
