import re

(GearsBuilder()
 .flatmap(lambda record: re.findall('[a-z]{4,}', record['value'].lower()))
 .countby()
 .map(lambda word: (word['value'], word['key']))
 .filter(lambda word: word[0] >= 10)
 .sort(reverse=False)
 .limit(5)
 .map(lambda word: '%d %s' % word)
 .run('line:*'))
