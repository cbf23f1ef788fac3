"""A stream of transfers between accounts, worked off in batches and atomically: no penny is lost, none is made."""

import random
from concurrent.futures import ThreadPoolExecutor

import redgrease
from redgrease.data import ExecutionStatus
from stage import connect, eventually

connection = connect()
ACCOUNTS, PRODUCERS, TRANSFERS = 5, 8, 50

chance = random.Random(7)
for account in range(ACCOUNTS):
    connection.hset(f"account:{account}", mapping={"balance": chance.randint(100, 1000)})


def balances():
    return [int(connection.hget(f"account:{account}", "balance")) for account in range(ACCOUNTS)]


def as_transfer(entry):
    transfer = dict(entry["value"], id=entry["id"], stream=entry["key"])
    transfer["state"] = "pending"
    return transfer


def carry_out(transfer):
    sender, receiver, amount = transfer["from"], transfer["to"], int(transfer["amount"])
    with redgrease.atomic():
        balance = int(redgrease.cmd.hget(f"account:{sender}", "balance"))
        if balance < amount:
            transfer["state"] = "refused"
        else:
            redgrease.cmd.hincrby(f"account:{sender}", "balance", -amount)
            redgrease.cmd.hincrby(f"account:{receiver}", "balance", amount)
            transfer["state"] = "done"
            redgrease.cmd.xadd(f"account:{receiver}:statement", transfer)
        redgrease.cmd.xadd(f"account:{sender}:statement", transfer)
    redgrease.log(f"transfer {transfer['id']}: {transfer['state']}", level="debug")
    return transfer


before = sum(balances())
registered = (
    redgrease.StreamReader()
    .map(as_transfer)
    .map(carry_out)
    .register(prefix="transfers:*", batch=10, duration=30, on=connection)
)
assert registered


def produce(producer):
    chance, own = random.Random(producer), connect()
    for _ in range(TRANSFERS):
        one = {"from": chance.randrange(ACCOUNTS), "to": chance.randrange(ACCOUNTS), "amount": chance.randint(1, 300)}
        own.xadd(f"transfers:{producer}", one)


with ThreadPoolExecutor(PRODUCERS) as pool:
    for outcome in [pool.submit(produce, producer) for producer in range(PRODUCERS)]:
        outcome.result()


def states():
    entries = [entry for account in range(ACCOUNTS) for _, entry in connection.xrange(f"account:{account}:statement")]
    return [(entry[b"stream"], entry[b"id"], entry[b"state"]) for entry in entries]


eventually(lambda: len(set(states())) == PRODUCERS * TRANSFERS, "every transfer's statement")
assert sum(balances()) == before and min(balances()) >= 0, balances()
assert {state for _, _, state in states()} == {b"done", b"refused"}

# A batch's end is told a moment after its effects can be seen.
eventually(
    lambda: all(execution.status == ExecutionStatus.done for execution in connection.gears.dumpexecutions()),
    "the end of all executions",
)
(registration,) = connection.gears.dumpregistrations()
figures = registration.RegistrationData
eventually(lambda: all(connection.xlen(f"transfers:{one}") == 0 for one in range(PRODUCERS)), "the streams to be trimmed")
assert figures.numFailures == 0 and figures.numTriggered >= PRODUCERS * TRANSFERS / 10, figures
