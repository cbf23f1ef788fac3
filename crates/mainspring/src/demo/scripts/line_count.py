GearsBuilder('KeysOnlyReader').count().run('line:*')
