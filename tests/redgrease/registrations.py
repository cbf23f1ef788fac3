"""What redgrease makes of the list of registrations, with names in them that nobody knows."""

import redgrease
from stage import connect

server = connect()

redgrease.KeysReader().map(lambda record: record).register("user:*", eventTypes=["hsett"], on=server)
redgrease.StreamReader().map(lambda record: record).register("log", batch=2, on=server)
redgrease.CommandReader().map(lambda arguments: 1 / 0).register(trigger="fails", on=server)

try:
    server.gears.trigger("fails")
except Exception as error:
    assert "ZeroDivisionError" in str(error), error


def listed():
    return {registration.reader: registration for registration in server.gears.dumpregistrations()}


assert sorted(listed()) == ["CommandReader", "KeysReader", "StreamReader"], listed()
keys, stream, command = (listed()[reader + "Reader"] for reader in ("Keys", "Stream", "Command"))
assert keys.PD["doubts"] == ["there is no event 'hsett': is 'hset' meant?"], keys.PD
assert "doubts" not in stream.PD and "doubts" not in command.PD
assert stream.RegistrationData.status is True, stream
data = command.RegistrationData
assert (data.numTriggered, data.numFailures) == (1, 1) and b"ZeroDivisionError" in data.lastError, data

# What redgrease has no name for is asked for in Redis' way.
reply = server.execute_command("RG.METRICS", str(command.id))
figures = dict(zip(reply[::2], reply[1::2]))
assert (figures[b"calls"], figures[b"failed"]) == (1, 1) and figures[b"duration_max_us"] > 0, figures

server.execute_command("RG.CLEARREGISTRATIONSSTATS")
assert listed()["CommandReader"].RegistrationData.numFailures == 0, listed()
