"""Counts over the whole keyspace: the genres of all movies."""

import redgrease
from stage import connect

connection = connect()
movies = {
    "movie:1": "Drama, Comedy",
    "movie:2": "Comedy",
    "movie:3": "Horror , Comedy,Drama",
    "movie:4": None,
}
for key, genres in movies.items():
    connection.hset(key, mapping={"title": key, **({"genres": genres} if genres else {})})
connection.set("no-hash", "x")

counts = (
    redgrease.KeysReader()
    .keys(type="hash")
    .map(lambda key: redgrease.cmd.hget(key, "genres"))
    .filter(lambda genres: genres)
    .flatmap(lambda genres: genres.split(","))
    .map(str.strip)
    .countby()
    .run("movie:*", on=connection)
)
assert {one["key"]: one["value"] for one in counts} == {"Drama": 2, "Comedy": 3, "Horror": 1}, counts
