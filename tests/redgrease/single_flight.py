"""A command that many ask at once for the same resource: one of them downloads it, the others wait for that one."""

from concurrent.futures import ThreadPoolExecutor

import redgrease
import requests
from stage import Images, connect, content

connection = connect()
images = Images()
images.delay_s = 0.3


@redgrease.command(on=connection, requirements=["requests"], replace=False)
def fetch_once(url, patience=20):
    held, arrived = f"cache:{{{url}}}", f"arrived:{{{url}}}"
    with redgrease.atomic():
        is_first = redgrease.cmd.hincrby(held, "asked", 1) == 1
    if is_first:
        response = requests.get(url)
        redgrease.cmd.hset(held, "body", bytes(response.content))
        redgrease.cmd.lpush(arrived, response.status_code)
    else:
        # Waits as a client would; whoever comes out puts the word back for the next one.
        redgrease.cmd.brpoplpush(arrived, arrived, patience)
    return bytes(redgrease.cmd.hget(held, "body"))


def ask(number):
    # A connection of its own, as clients in several processes have.
    reply = connect().gears.trigger("fetch_once", images.url(f"/{number % 2}.jpg"))
    return number % 2, reply


with ThreadPoolExecutor(10) as pool:
    answers = [one.result() for one in [pool.submit(ask, number) for number in range(10)]]
for number, reply in answers:
    assert reply.value == content(f"/{number}.jpg"), reply
assert images.asked == {"/0.jpg": 1, "/1.jpg": 1}, images.asked
assert connection.hget("cache:{%s}" % images.url("/0.jpg"), "asked") == b"5"
