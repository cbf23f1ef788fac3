"""How much processor time executions use: looked at by the watcher every few milliseconds, so that nothing on their own
way is slower for it. What an execution uses between two looks is its own if it had the thread at both."""

from time import clock_gettime, process_time, pthread_getcpuclockid

from .protocol import COMPUTED


class Meter:
    def __init__(self, desk, ms_max, is_over):
        self.desk = desk
        self.is_over = is_over
        self.max_s = ms_max / 1000
        # By thread: whose callbacks it was in, and what its clock said.
        self.seen = {}
        # By execution.
        self.used = {}
        self.told = set()
        self.spoke_at = process_time()

    def look(self):
        """In the watcher. Tells the server who is beyond the limit, and now and then that somebody looks at all."""
        with self.desk.gate:
            # Of those that lie on each other on one thread the uppermost comes last. A thread that has a seat is alive.
            here = {seat.ident: seat.execution for seat in sorted(self.desk.seats, key=lambda seat: seat.nested)}
            now = {ident: clock_gettime(pthread_getcpuclockid(ident)) for ident in here}
        used, beyond = {}, []
        for ident, execution in here.items():
            before, clock = self.seen.get(ident, (None, 0))
            if execution is None or before is not execution:
                continue
            used[execution] = self.used.get(execution, 0) + now[ident] - clock
            if used[execution] > self.max_s and execution not in self.told:
                self.told.add(execution)
                beyond.append(execution.number)
        self.seen = {ident: (execution, now[ident]) for ident, execution in here.items()}
        # An execution of many batches leaves its thread between them.
        self.used.update(used)
        self.used = {execution: total for execution, total in self.used.items() if not self.is_over(execution)}
        self.told &= self.used.keys()
        if beyond or process_time() - self.spoke_at > self.max_s / 2:
            self.spoke_at = process_time()
            self.desk.say((COMPUTED, beyond))
