"""Memory shared with the server, beside the stream: for what is short while both sides are awake.

A frame goes in, and its answer is looked for, without a system call and without waking anybody. The server looks into
the mailbox while it attends; otherwise, and whenever an answer takes longer than a moment, the stream does its work.
What the order of words, frames and fences is for stands in the server's mailbox.rs.
"""

import mmap
import platform
from marshal import loads
from os import sched_yield
from threading import Lock
from time import perf_counter

# Words, each on a cache line of its own with those that the same side writes.
ATTENDED = 0
REQUEST, REQUEST_BYTES = 16, 17
DONE, ANSWER = 32, 33
GIVEN_UP = 48
TAKEN = 64
DELIVERED, DELIVERED_BYTES = 80, 81
WATCHED = 96
COLLECTED, RECEIVED = 112, 113

REQUEST_AT = 1024
REQUEST_BYTES_MAX = 32 * 1024
ANSWER_AT = REQUEST_AT + REQUEST_BYTES_MAX
ANSWER_BYTES_MAX = 64 * 1024
DELIVERY_AT = ANSWER_AT + ANSWER_BYTES_MAX
DELIVERY_BYTES_MAX = 32 * 1024
BYTES = DELIVERY_AT + DELIVERY_BYTES_MAX

# Beside the length of a frame: its answer is looked for here.
ASKS = 1 << 24

# Beside the length of an answer: what it is, if not a value that can be taken as it is.
ERROR, ELSEWHERE, MARKED = 1 << 24, 1 << 25, 1 << 26
LENGTH = (1 << 24) - 1

# So many looks for an answer at once, a bit more than a microsecond, and so many more between which others may have the
# processor: the server may be waiting for this very one. Sleeping and being woken costs about as much as all of them.
LOOKS = range(32)
YIELDS = range(40)
# After looking in vain so many calls go without it; twice as many after the next, up to the second number.
PENALTY = 2
PENALTY_MAX = 16

# Processors that let no store pass another, and no load another.
IS_ORDERED = platform.machine() in ("x86_64", "AMD64", "i686", "s390x")
NUMBER_MASK = 0xFFFFFFFF


class Mailbox:
    def __init__(self, fd):
        view = memoryview(mmap.mmap(fd, BYTES))
        self.words = view.cast("I")
        self.request = view[REQUEST_AT : REQUEST_AT + REQUEST_BYTES_MAX]
        self.answers = view[ANSWER_AT : ANSWER_AT + ANSWER_BYTES_MAX]
        self.deliveries = view[DELIVERY_AT : DELIVERY_AT + DELIVERY_BYTES_MAX]
        # The right to put a frame in.
        sending = Lock()
        self.acquire, self.release = sending.acquire, sending.release
        self.barrier = Lock()
        self.skipped = 0
        self.penalty = PENALTY

    def fence(self):
        """An atomic exchange keeps what stands before it before what follows it; Python has no other way to say so."""
        self.barrier.acquire()
        self.barrier.release()

    def post(self, frame, sent):
        """Puts a frame in that wants no answer; whether it has. `sent`: how many frames the stream was given before."""
        if self.words[TAKEN] != sent or not self.acquire(False):
            return False
        try:
            return self.put(frame, len(frame)) is not None
        finally:
            self.release()

    def put(self, frame, length):
        """Puts a frame in, if the one before has been taken; gives its number. `length`: also says whether it asks. By whoever
        has the right to send."""
        words = self.words
        number = words[REQUEST]
        size = length & LENGTH
        if words[DONE] != number or size > REQUEST_BYTES_MAX:
            return None
        number = number + 1 & NUMBER_MASK
        self.request[:size] = frame
        words[REQUEST_BYTES] = length
        if not IS_ORDERED:
            self.fence()
        words[REQUEST] = number
        return number

    def ask(self, frame, sent):
        """Puts a call in and looks for its answer. Gives (success, marked, value), or its number when the answer has to be
        waited for at the stream, or None when the call has to take that way itself. By whoever has the right to send.
        `sent`: as post() has it."""
        if self.skipped:
            self.skipped -= 1
            return None
        if self.words[TAKEN] != sent:
            # It would overtake what the stream still has.
            return None
        number = self.put(frame, len(frame) | ASKS)
        if number is None:
            # A frame that is not taken yet: of a moment ago, mostly.
            sched_yield()
            number = self.put(frame, len(frame) | ASKS)
            if number is None:
                return None
        words = self.words
        for _ in LOOKS:
            if words[DONE] == number:
                break
        else:
            for _ in YIELDS:
                sched_yield()
                if words[DONE] == number:
                    self.penalty = PENALTY
                    break
            else:
                self.skipped = self.penalty
                self.penalty = min(2 * self.penalty, PENALTY_MAX)
                return number
        answer = words[ANSWER]
        if answer <= LENGTH and IS_ORDERED:
            return True, False, loads(self.answers[:answer])
        return self.answer(number)

    def answer(self, number):
        """What became of a frame that the server is done with."""
        if not IS_ORDERED:
            self.fence()
        answer = self.words[ANSWER]
        if answer & ELSEWHERE:
            return number
        return not answer & ERROR, bool(answer & MARKED), loads(self.answers[: answer & LENGTH])

    def collect(self):
        """The messages that the server has delivered, if any. By whoever leads."""
        words = self.words
        number = words[DELIVERED]
        if words[COLLECTED] == number:
            return []
        if not IS_ORDERED:
            self.fence()
        messages = loads(self.deliveries[: words[DELIVERED_BYTES]])
        words[COLLECTED] = number
        return messages

    def watch(self, poll, end):
        """Looks for a delivery, or something in the stream, until `end`; whether there is something. By whoever leads."""
        words = self.words
        collected = words[COLLECTED]
        words[WATCHED] = 1
        self.fence()
        found = False
        while not found:
            for _ in LOOKS:
                if words[DELIVERED] != collected:
                    found = True
                    break
                sched_yield()
            else:
                found = bool(poll(0))
                if perf_counter() > end:
                    break
        words[WATCHED] = 0
        self.fence()
        return found or words[DELIVERED] != collected

    def give_up(self, number):
        """The caller waits at the stream from now on, unless this gives it the answer."""
        self.words[GIVEN_UP] = number
        self.fence()
        answer = self.answer(number) if self.words[DONE] == number else None
        return answer if type(answer) is tuple else None
