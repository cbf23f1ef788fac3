"""Functions as values: records are scheduled when they are written, processed from a stream, and counted."""

import redgrease
from stage import connect, eventually


def schedule(record):
    status = record.value.get("status", "new")
    redgrease.log(f"Scheduling '{status}' record: {record.key}")
    if status == "new":
        record.value["status"] = "pending"
        redgrease.cmd.hset(record.key, "status", "pending")
        redgrease.cmd.xadd("to_be_processed", {"record": record.key})
    return record


def process(item):
    redgrease.log(f"processsing {item}")
    success = len(item["record"]) % 3
    redgrease.cmd.hset(item["record"], "status", "success" if success else "failed")


def has_status(status):
    return lambda record: record.value.get("status", None) == status


key_pattern = "record:*"

records = redgrease.KeysReader().records(type="hash")

record_listener = records.foreach(schedule).register(key_pattern, eventTypes=["hset"])

get_failed = records.filter(has_status("failed"))

count_by_status = (
    records.countby(lambda r: r.value.get("status", "unknown"))
    .map(lambda r: {r["key"]: r["value"]})
    .aggregate({}, lambda a, r: dict(a, **r))
    .run(key_pattern)
)

process_records = (
    redgrease.StreamReader().values().foreach(process, requirements=["numpy"]).register("to_be_processed")
)

server = connect()
server.gears.pyexecute(record_listener)
process_records.on(server)

# "record:1" has eight letters, "record:10" nine: those with a multiple of three fail.
for number in range(1, 21):
    server.hset(f"record:{number}", "name", f"no. {number}")


def settled():
    return all(server.hget(f"record:{number}", "status") in (b"success", b"failed") for number in range(1, 21))


eventually(settled, "all records to be processed")
failed = get_failed.run(key_pattern, on=server)
assert sorted(record.key for record in failed) == sorted(f"record:{number}" for number in range(10, 21)), failed
count = count_by_status.on(server)
assert count.value == {"success": 9, "failed": 11}, count
installed = {one.Name for one in server.gears.pydumpreqs()}
assert {"redgrease[runtime]", "numpy"} <= installed, installed
