"""What the programs share: the connection, a web server that counts, and waiting for what happens in the background."""

import http.server
import sys
import threading
import time
from collections import Counter

import redgrease


def connect():
    return redgrease.RedisGears(host="127.0.0.1", port=int(sys.argv[1]))


def eventually(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("in vain waited for: %s" % what)
        time.sleep(0.02)


class Images:
    """Serves a few bytes, not UTF-8, under any path, and counts who asked for what."""

    def __init__(self):
        self.asked = asked = Counter()
        self.delay_s = 0
        images = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked[self.path] += 1
                time.sleep(images.delay_s)
                body = content(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.server.server_port, path)


def content(path):
    return b"\xff\xd8\xff\x00" + path.encode() * 100
