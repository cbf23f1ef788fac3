"""Open functions as building blocks: one chain, closed in several ways, run in several ways."""

import redgrease
import redgrease.utils
from stage import connect

connection = connect()

fields = {"online": bool, "labels": redgrease.utils.list_parser(str)}

online = (
    redgrease.KeysOnlyReader("sensor:*")
    .map(lambda key: redgrease.cmd.hmget(key, *fields))
    .map(lambda values: redgrease.utils.to_dict(values, keys=fields, val_transform=fields))
    .filter(lambda sensor: sensor["online"])
)
online_count = online.count()
labels = online.flatmap(lambda sensor: sensor["labels"]).distinct()

# Nothing is counted where there is nothing: the result has no elements, not even a zero.
assert connection.gears.pyexecute(online_count.run()) == []

for number in range(12):
    connection.hset(
        f"sensor:{number}",
        mapping={
            "online": number % 4 or "",
            "labels": str(["indoor" if number % 3 else "outdoor", f"floor{number // 6}"]),
        },
    )
connection.set("sensors", "no hash, and no sensor")

count = connection.gears.pyexecute(online_count.run())
assert count == 9 and count > 8 and not count.errors, count
assert online_count.run(on=connection) == 9
assert online_count.run("sensor:1*").on(connection) == 3

found = labels.run().on(connection)
assert sorted(found) == ["floor0", "floor1", "indoor", "outdoor"], found
assert "indoor" in found and not found.errors

# The same chain, closed by a pattern that names a key it cannot read: the error stands beside the results.
broken = online.run("sensors").on(connection)
assert broken == [] and "WRONGTYPE" in str(broken.errors), broken.errors

by_label = (
    online.aggregateby(
        lambda sensor: sensor["labels"][0],
        0,
        lambda _, total, sensor: total + 1,
        lambda _, total, more: total + more,
    )
    .map(lambda group: {group["key"]: group["value"]})
    .aggregate({}, lambda groups, group: {**groups, **group})
)
expected = {"indoor": 6, "outdoor": 3}
assert by_label.run(on=connection).value == expected
assert by_label.run().on(connection).value == expected
assert connection.gears.pyexecute(by_label.run()).value == expected
# An open function is closed by whoever runs it.
assert connection.gears.pyexecute(by_label).value == expected
