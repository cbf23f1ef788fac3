import os

GearsBuilder().map(lambda record: os._exit(3)).run('file:README.md')
