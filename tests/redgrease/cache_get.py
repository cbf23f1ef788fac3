"""A command that fetches a resource once and serves it from the cache from then on."""

import redgrease
import requests
from stage import Images, connect, content

connection = connect()
images = Images()


@redgrease.command(on=connection, requirements=["requests"], replace=False)
def cache_get(url):
    if redgrease.cmd.exists(url):
        return bytes(redgrease.cmd.get(url))

    response = requests.get(url)

    if response.status_code != 200:
        return bytes()

    response_data = bytes(response.content)
    redgrease.cmd.set(url, response_data)

    return response_data


for _ in range(3):
    for path in ("/a.jpg", "/b.jpg"):
        assert cache_get(images.url(path)).value == content(path)
assert images.asked == {"/a.jpg": 1, "/b.jpg": 1}, images.asked
assert connection.get(images.url("/a.jpg")) == content("/a.jpg")

registrations = connection.gears.dumpregistrations()
assert [one.reader for one in registrations] == ["CommandReader"], registrations
private = registrations[0].PD
assert "requests" in [one["name"] for one in private["depsList"]], private

# The trigger's name is taken: redgrease takes what is registered.
again = redgrease.command("cache_get", on=connection, requirements=["requests"], replace=False)(lambda url: b"")
assert again(images.url("/a.jpg")).value == content("/a.jpg")
connection.gears.unregister(registrations[0].id)
assert connection.gears.dumpregistrations() == []
