"""Runs the steps of a function over records.

Between two barriers (steps that need all records before they give any) the steps are one chain of lazy iterators, so
that a record travels the whole chain before the next one starts. Runs of map and filter are the C-level `map` and
`filter`: no bytecode of ours is executed for a record.
"""

import itertools
import types
from collections import Counter, deque
from time import perf_counter


class Step:
    """One step as the script described it."""

    __slots__ = ("kind", "callbacks", "numbers", "name", "argument")

    def __init__(self, kind, callbacks=(), numbers=(), name="", argument=""):
        self.kind = kind
        self.callbacks = callbacks
        self.numbers = numbers
        self.name = name or kind
        self.argument = argument

    def described(self):
        return (self.kind,) + tuple(self.numbers) + (self.name, self.argument)


class Pipeline:
    """The steps of one execution and their state. What callbacks raise is added to `errors`."""

    def __init__(self, steps, errors):
        self.errors = errors
        # No record is wanted any more from the reader: a limit was reached, or a callback failed.
        self.satisfied = False
        self.source = None
        self.segments = [Segment()]
        for step in steps:
            build = BARRIERS.get(step.kind)
            if build is not None:
                self.segments[-1].barrier = build(step, self)
                self.segments.append(Segment())
            elif step.kind not in PASSED_THROUGH:
                self.segments[-1].links.append(LINKS[step.kind](step, self))

    def fail(self, error):
        self.errors.append(error)
        self.satisfied = True
        if self.source is not None:
            self.source.stop()

    def feed(self, source):
        """Pushes a source's records as far as they go; returns those that came out at the end."""
        self.source = source
        results = []
        try:
            self.push(0, source.records, results)
            if not self.satisfied and source.cut_short():
                self.fail(StopIteration("raised by a callback"))
                self.push(0, source.records, results)
        finally:
            self.source = None
        return results

    def finish(self):
        """No more records will come: the barriers give what they hold, one after the other."""
        results = []
        for at, segment in enumerate(self.segments):
            if segment.barrier is not None:
                self.push(at + 1, iter(segment.barrier.finish()), results)
        return results

    def push(self, at, records, results):
        segment = self.segments[at]
        for link in segment.links:
            records = link(records)
        consume = results.extend if segment.barrier is None else segment.barrier.take
        while True:
            try:
                consume(records)
                return
            except BaseException as error:
                # The record is lost and the error stands for it. What is buffered behind it still comes through: C-level
                # iterators go on where they failed, and `fail` has stopped the source.
                self.fail(error)


class Segment:
    __slots__ = ("links", "barrier")

    def __init__(self):
        self.links = []
        self.barrier = None


class Batch:
    """A source of records: a list that was fed."""

    __slots__ = ("records", "length")

    def __init__(self, records):
        self.records = iter(records)
        self.length = len(records)

    def stop(self):
        self.records.__setstate__(self.length)

    def cut_short(self):
        # The chain ended although the list had not: a callback's StopIteration looked like the end. An exhausted list
        # iterator has let go of its list.
        return len(self.records.__reduce__()) == 3


class Pulled:
    """The records of a reader callback. A generator is pulled; anything else the callback returns is one record, and it
    is called for the next, again and again."""

    __slots__ = ("function", "generator", "ended")

    def __init__(self, function):
        self.function = function
        self.generator = None
        self.ended = False

    def pull(self):
        try:
            if self.generator is None:
                made = self.function()
                if not isinstance(made, types.GeneratorType):
                    return made
                self.generator = made
            return next(self.generator)
        except BaseException:
            # The end of the generator, or the error that ends the reader.
            self.ended = True
            raise


class Portion:
    """A source of records: so many of a reader callback's, and none once the time is over."""

    __slots__ = ("pulled", "left", "deadline", "records")

    def __init__(self, pulled, records_max, deadline):
        self.pulled = pulled
        self.left = records_max
        self.deadline = deadline
        self.records = self

    def __iter__(self):
        return self

    def __next__(self):
        if self.left <= 0 or self.pulled.ended:
            raise StopIteration
        self.left = self.left - 1 if perf_counter() < self.deadline else 0
        return self.pulled.pull()

    def stop(self):
        self.pulled.ended = True

    def cut_short(self):
        # A callback's StopIteration, or the end of the portion: the next portion goes on behind it either way.
        return False


# Links: record iterator in, record iterator out.


def link_map(step, pipeline):
    callback = step.callbacks[0]
    return lambda records: map(callback, records)


def link_filter(step, pipeline):
    callback = step.callbacks[0]
    return lambda records: filter(callback, records)


def link_foreach(step, pipeline):
    callback = step.callbacks[0]

    def through(record):
        callback(record)
        return record

    return lambda records: map(through, records)


def link_flatmap(step, pipeline):
    callback = step.callbacks[0]

    def expand(record):
        try:
            made = callback(record)
        except BaseException as error:
            # Not through the chain: it would give up its buffered records.
            pipeline.fail(error)
            return ()
        # Records are popped off the end of the list.
        return made[::-1] if isinstance(made, list) else (made,)

    return lambda records: itertools.chain.from_iterable(map(expand, records))


def link_totext(step, pipeline):
    return lambda records: map(str, records)


class Limit:
    """Skips `offset` records, lets `length` pass, over all batches."""

    def __init__(self, step, pipeline):
        self.length, self.offset = step.numbers
        self.pipeline = pipeline
        self.records = None
        self.first = not any(segment.barrier for segment in pipeline.segments)

    def __call__(self, records):
        self.records = records
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self.length <= 0:
            self.reached()
            raise StopIteration
        while self.offset > 0:
            next(self.records)
            self.offset -= 1
        record = next(self.records)
        self.length -= 1
        if self.length == 0:
            self.reached()
        return record

    def reached(self):
        if self.first:
            self.pipeline.satisfied = True


LINKS = {
    "map": link_map,
    "filter": link_filter,
    "foreach": link_foreach,
    "flatmap": link_flatmap,
    "totext": link_totext,
    "limit": Limit,
}

# On one shard nothing moves.
PASSED_THROUGH = ("collect", "repartition")


# Barriers: take records of all batches, give theirs at the end.


class Count:
    def __init__(self, step, pipeline):
        self.counted = 0

    def take(self, records):
        counter = itertools.count()
        try:
            # Pairs every record with a number without a line of Python for it.
            deque(zip(records, counter), maxlen=0)
        finally:
            self.counted += next(counter)

    def finish(self):
        # No records, no count: as the sum that count() is made of.
        return [self.counted] if self.counted else []


class Accumulate:
    def __init__(self, step, pipeline):
        self.callback = step.callbacks[0]
        self.fail = pipeline.fail
        self.value = None
        self.started = False

    def take(self, records):
        callback, value, started = self.callback, self.value, self.started
        try:
            for record in records:
                try:
                    value = callback(value, record)
                    started = True
                except BaseException as error:
                    value, started = None, False
                    self.fail(error)
        finally:
            self.value, self.started = value, started

    def finish(self):
        return [self.value] if self.started else []


class GroupBy:
    def __init__(self, step, pipeline):
        self.extractor, self.reducer = step.callbacks
        self.fail = pipeline.fail
        self.groups = {}

    def take(self, records):
        extractor, reducer, groups = self.extractor, self.reducer, self.groups
        for record in records:
            try:
                key = group_key(extractor(record))
            except BaseException as error:
                self.fail(error)
                continue
            try:
                groups[key] = reducer(key, groups.get(key), record)
            except BaseException as error:
                groups.pop(key, None)
                self.fail(error)

    def finish(self):
        groups, self.groups = self.groups, {}
        return [{"key": key, "value": value} for key, value in groups.items()]


def count_one(key, count, record):
    """The reducer of countby()."""
    return 1 + (count or 0)


class CountBy:
    """Groups of which only the size is wanted."""

    def __init__(self, step, pipeline):
        self.extractor = step.callbacks[0]
        self.fail = pipeline.fail
        self.groups = Counter()

    def take(self, records):
        extracted = []
        try:
            # What it has when a callback raises, it keeps.
            extracted.extend(map(self.extractor, records))
        finally:
            self.groups.update(extracted if TEXT.issuperset(map(type, extracted)) else self.keys(extracted))

    def keys(self, extracted):
        for value in extracted:
            try:
                key = group_key(value)
            except BaseException as error:
                self.fail(error)
                continue
            yield key

    def finish(self):
        groups, self.groups = self.groups, Counter()
        return [{"key": key, "value": count} for key, count in groups.items()]


TEXT = frozenset((str,))


def local_group_by(step, pipeline):
    return (CountBy if step.callbacks[1] is count_one else GroupBy)(step, pipeline)


class BatchGroupBy:
    def __init__(self, step, pipeline):
        self.extractor, self.reducer = step.callbacks
        self.fail = pipeline.fail
        self.groups = {}

    def take(self, records):
        extractor, groups = self.extractor, self.groups
        for record in records:
            try:
                key = group_key(extractor(record))
            except BaseException as error:
                self.fail(error)
                continue
            groups.setdefault(key, []).append(record)

    def finish(self):
        results = []
        # The group that was made last comes first.
        while self.groups:
            key, records = self.groups.popitem()
            try:
                results.append({"key": key, "value": self.reducer(key, records)})
            except BaseException as error:
                self.fail(error)
        return results


def group_key(extracted):
    return extracted if isinstance(extracted, str) else repr(extracted)


BARRIERS = {
    "count": Count,
    "accumulate": Accumulate,
    "groupby": GroupBy,
    "localgroupby": local_group_by,
    "batchgroupby": BatchGroupBy,
}
