"""Frames over the stream to the server: u32 (little endian) length, then a marshalled list of messages."""

import os
import select
from marshal import dumps, loads
from threading import Lock
from time import perf_counter

from .mailbox import ATTENDED, NUMBER_MASK, RECEIVED
from .protocol import LOOK

# Received into place: a fresh buffer of this size each time would be three calls for memory besides the one for data.
READ_BYTES = 64 * 1024
# So long an answer is looked for again and again: sleeping and being woken costs about as much.
SPIN_S = 0.00005
# After a vain spin so many waits go without one; twice as many after the next, up to the second number.
PENALTY = 8
PENALTY_MAX = 64


class Channel:
    """Reading is for one thread at a time, the leader; sending is for all."""

    def __init__(self, stream, mailbox=None):
        self.stream = stream
        self.mailbox = mailbox
        # Frames of the stream, both ways.
        self.sent = self.received = 0
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
        if self.mailbox is not None:
            found = self.mailbox.watch(poll, end)
        else:
            found = poll(0)
            while not found and perf_counter() < end:
                found = poll(0)
        if found:
            self.penalty = PENALTY
            return True
        self.skipped = self.penalty
        self.penalty = min(2 * self.penalty, PENALTY_MAX)
        return False

    def is_ready_until(self, end):
        """Whether there is something to receive before this point of `perf_counter`."""
        left_ms = (end - perf_counter()) * 1000
        return left_ms > 0 and (self.spin() or bool(self.readable.poll(left_ms)))

    def receive(self):
        """Waits for messages. The server's end is the process's end."""
        mailbox = self.mailbox
        if mailbox is not None:
            messages = mailbox.collect()
            if messages:
                return messages
        try:
            received = self.recv_into(self.buffer)
        except OSError:
            received = 0
        if not received:
            os._exit(0)
        if mailbox is None:
            return self.parse(received, [])
        # What was delivered comes before what the stream brought afterwards.
        messages = self.parse(received, mailbox.collect())
        mailbox.words[RECEIVED] = self.received & NUMBER_MASK
        return messages

    def parse(self, received, messages):
        """Appends the messages of whole frames."""
        data = self.buffer[:received]
        if self.rest:
            data = memoryview(self.rest + data)
            self.rest = b""
        at, end = 0, len(data)
        while end - at >= 4:
            start = at + 4
            length = int.from_bytes(data[at:start], "little")
            self.received += 1
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
        mailbox = self.mailbox
        if mailbox is not None and mailbox.words[ATTENDED] and mailbox.post(body, self.sent & NUMBER_MASK):
            mailbox.fence()
            if mailbox.words[ATTENDED]:
                return
            # The server may have gone to sleep before it saw it.
            body = dumps([(LOOK,)], 2)
        self.sent += 1
        try:
            self.sendall(len(body).to_bytes(4, "little") + body)
        except OSError:
            os._exit(0)
