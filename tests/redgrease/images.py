"""Whenever an annotation is written, its image is downloaded, once."""

import redgrease
import requests
from stage import Images, connect, content, eventually

connection = connect()
images = Images()


def download_image(annotation):
    img_id = annotation["image_id"]
    img_key = f"image:{img_id}"
    if redgrease.cmd.hexists(img_key, "image_data"):
        return img_key
    redgrease.log(f"Downloading image for annotation: {annotation}")
    image_url = redgrease.cmd.hget(img_key, "url")
    response = requests.get(image_url)
    redgrease.cmd.hset(img_key, "image_data", bytes(response.content))
    return img_key


redgrease.KeysReader().values(type="hash", event="hset").foreach(
    download_image, requirements=["requests"]
).register("annotation:*", on=connection)

for number in range(3):
    connection.hset(f"image:{number}", "url", images.url(f"/{number}.jpg"))
for number in range(3):
    connection.hset(f"annotation:{number}", mapping={"image_id": number, "label": "cat"})
    eventually(lambda: connection.hexists(f"image:{number}", "image_data"), "the image")
    connection.hset(f"annotation:{number}:other", "image_id", number)
connection.hset("unrelated", "image_id", 1)

for number in range(3):
    assert connection.hget(f"image:{number}", "image_data") == content(f"/{number}.jpg")


def statistics():
    return connection.gears.dumpregistrations()[0].RegistrationData


eventually(lambda: statistics().numSuccess == 6, "six annotations")
assert (statistics().numTriggered, statistics().numFailures) == (6, 0), statistics()
assert images.asked == {f"/{number}.jpg": 1 for number in range(3)}, images.asked
