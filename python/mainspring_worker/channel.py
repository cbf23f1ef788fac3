"""Frames over the stream to the server: u32 (little endian) length, then a marshalled list of messages."""

import os
import select
from marshal import dumps, loads
from threading import Lock
from time import perf_counter

# Received into place: a fresh buffer of this size each time would be three calls for memory besides the one for data.
READ_BYTES = 64 * 1024
# So long an answer is looked for again and again: sleeping and being woken costs about as much.
SPIN_S = 0.00005
# After a vain spin so many waits go without one; twice as many after the next, up to the second number.
PENALTY = 8
PENALTY_MAX = 64


class Channel:
    """Reading is for one thread at a time, the leader; sending is for all."""

    def __init__(self, stream):
        self.stream = stream
        self.recv_into = stream.recv_into
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.sendall = stream.sendall
        self.rest = b""
        self.sending = Lock()
        self.readable = select.poll()
        self.readable.register(stream, select.POLLIN)

        # Waits that go without a spin from now on.
        self.skipped = 0
        self.penalty = PENALTY if os.cpu_count() != 1 else None

    def spin(self):
        """Whether there is something to receive almost at once. Spins only while that pays."""
        if self.skipped:
            self.skipped -= 1
            return False
        if self.penalty is None:
            return False
        poll = self.readable.poll
        end = perf_counter() + SPIN_S
        while not poll(0):
            if perf_counter() > end:
                self.skipped = self.penalty
                self.penalty = min(2 * self.penalty, PENALTY_MAX)
                return False
        self.penalty = PENALTY
        return True

    def is_ready_until(self, end):
        """Whether there is something to receive before this point of `perf_counter`."""
        left_ms = (end - perf_counter()) * 1000
        return left_ms > 0 and (self.spin() or bool(self.readable.poll(left_ms)))

    def receive(self):
        """Waits for messages. The server's end is the process's end."""
        try:
            received = self.recv_into(self.buffer)
        except OSError:
            received = 0
        if not received:
            os._exit(0)
        data = self.buffer[:received]
        if self.rest:
            data = memoryview(self.rest + data)
            self.rest = b""
        messages = []
        at, end = 0, len(data)
        while end - at >= 4:
            start = at + 4
            length = int.from_bytes(data[at:start], "little")
            if end - start < length:
                messages += loads(self.complete(data[start:], length))
                return messages
            messages += loads(data[start : start + length])
            at = start + length
        self.rest = bytes(data[at:])
        return messages

    def complete(self, begin, length):
        """The rest of a frame whose length is known: read into place, not pieced together."""
        frame = bytearray(length)
        frame[: len(begin)] = begin
        view = memoryview(frame)
        have = len(begin)
        while have < length:
            try:
                got = self.stream.recv_into(view[have:])
            except OSError:
                got = 0
            if not got:
                os._exit(0)
            have += got
        return frame

    def send(self, messages):
        with self.sending:
            self.write(messages)

    def send_queued(self, queue):
        """Sends and empties a deque that others may append to. Whoever sends, a queue's messages stay in order."""
        with self.sending:
            messages = []
            try:
                while True:
                    messages.append(queue.popleft())
            except IndexError:
                pass
            if messages:
                self.write(messages)

    def write(self, messages):
        # Version 2 has no references: so the server need not resolve any from a process it does not trust.
        body = dumps(messages, 2)
        try:
            self.sendall(len(body).to_bytes(4, "little") + body)
        except OSError:
            os._exit(0)
