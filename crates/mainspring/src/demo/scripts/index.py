import re

def index(record):
    for word in set(re.findall('[a-z]{4,}', record['value'].lower())):
        execute('SADD', 'word:' + word, record['key'])
    execute('RPUSH', 'indexed', record['key'])

(GearsBuilder('KeysReader', desc='index every new line by its words')
 .foreach(index)
 .register('line:*', eventTypes=['set'], mode='async_local'))
