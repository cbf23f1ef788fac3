"""The Python side of Mainspring's function engine: what runs in a worker process.

It is the standard library's only, for Python 3.8 and later, and travels inside the server's binary.
"""
