"""Progress that cuts a build off in the middle of a stage."""

from contextlib import contextmanager


class StoppedError(Exception):
    """Raised where a build is to be cut off."""


class StopAfter:
    """Progress that ends a build when so many batches of a stage are done; counts those it sees."""

    def __init__(self, name=None, batches=0):
        self.name, self.batches = name, batches
        self.seen = {}

    @contextmanager
    def stage(self, name, total):
        self.seen[name] = []

        def advance(n):
            self.seen[name].append(n)
            if name == self.name and sum(self.seen[name]) >= self.batches:
                raise StoppedError

        yield advance

    def say(self, line):
        pass
