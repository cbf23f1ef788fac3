"""The numbers that lead each message: docs/worker-protocol.md has their shapes."""

# Leads a message that means nothing but: look into the mailbox. Both ways.
LOOK = 99

(
    SESSION,
    SCRIPT,
    LOAD,
    OPEN,
    FEED,
    INVOKE,
    ABORT,
    ANSWER,
    FORGET,
    INVOKE_INSIDE,
    HAND_BACK,
    ABORT_SCRIPT,
    TIME_EVENT,
    PROFILE,
) = range(14)

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
    SUSPENDED,
    CALL_NEXT,
    GET_COMMAND,
    OVERRIDE_REPLY,
    REGISTER_TIME_EVENT,
    PROFILE_REPORT,
    STEP_DURATIONS,
) = range(1, 18)
