/// Counters for INFO.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    pub(crate) connections_received: u64,
    pub(crate) connections_rejected: u64,
    pub(crate) commands_processed: u64,
    pub(crate) input_bytes: u64,
    pub(crate) output_bytes: u64,
    pub(crate) output_limit_disconnections: u64,
    pub(crate) query_limit_disconnections: u64,
    pub(crate) protocol_errors: u64,
    pub(crate) error_replies: u64,
    pub(crate) turns: u64,
    pub(crate) clients_peak: usize,
    /// Commands in the last full second.
    pub(crate) operations_per_second: u64,
    pub(crate) operations_at_last_sample: u64,
    pub(crate) sampled_ms: i64,
}

impl Statistics {
    /// Once in a while: the rate since the last sample.
    pub(crate) fn sample(&mut self, now_ms: i64) {
        let elapsed_ms = now_ms - self.sampled_ms;
        if elapsed_ms < 1000 {
            return;
        }
        let commands = self.commands_processed - self.operations_at_last_sample;
        self.operations_per_second = commands * 1000 / elapsed_ms as u64;
        self.operations_at_last_sample = self.commands_processed;
        self.sampled_ms = now_ms;
    }

    pub(crate) fn reset(&mut self) {
        *self = Statistics { sampled_ms: self.sampled_ms, ..Statistics::default() };
    }
}
