(GearsBuilder('CommandReader', desc='find the lines that have all words')
 .flatmap(lambda words: execute('SINTER', *['word:' + word for word in words[1:]]))
 .register(trigger='find'))
