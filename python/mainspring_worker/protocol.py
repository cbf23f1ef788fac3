"""The numbers that lead each message: docs/worker-protocol.md has their shapes."""

SESSION, SCRIPT, LOAD, OPEN, FEED, INVOKE, ABORT, ANSWER, FORGET = range(9)

(
    SCRIPT_DONE,
    RUN,
    REGISTER,
    LOADED,
    PROGRESS,
    EXECUTE,
    ATOMIC_BEGIN,
    ATOMIC_END,
    CONFIG_GET,
    LOG,
) = range(1, 11)
