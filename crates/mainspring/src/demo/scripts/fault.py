def divide(record):
    return int(record['value']['lines']) / 0

GearsBuilder().map(divide).run('file:README.md')
