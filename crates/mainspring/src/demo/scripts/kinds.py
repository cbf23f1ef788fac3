(GearsBuilder('StreamReader', desc='add up lines by kind of file')
 .foreach(lambda entry: execute('HINCRBY', 'lines', entry['value']['kind'], entry['value']['lines']))
 .register('loads', batch=50, duration=10, mode='async_local'))
