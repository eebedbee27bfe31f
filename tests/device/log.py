"""What a program asks of a device, written down by name in the order in which it asks."""

import contextlib
from collections import Counter

__all__ = ["Log", "ReadError"]


class ReadError(AssertionError):
    """The device was read, or waited for, where it must not be; the message names what did it."""


class Log:
    """What happened: `launches`, `uploads`, `downloads` and `waits`, each a list of names.

    A launch is a call that writes memory of the device. CuPy may need several kernels for one; it never needs fewer.
    Whatever makes a view launches nothing. A download copies from the device to the host, and waits.
    """

    def __init__(self):
        self.clear()
        self._quiet = False

    def clear(self):
        self.launches, self.uploads, self.downloads, self.waits = [], [], [], []
        self.recorder = None  # the graph that is being recorded

    def launch(self, name):
        self.launches.append(name)

    def upload(self, name, nbytes):
        if self.recorder is not None and not name.startswith("pinned"):
            raise RuntimeError(f"{name} copies pageable memory to the device while a graph is recorded")
        self.uploads.append((name, nbytes))

    def download(self, name):
        self.wait(name)
        self.downloads.append(name)

    def wait(self, name):
        if self.recorder is not None:
            raise RuntimeError(f"{name} waits for the device while a graph is recorded")
        if self._quiet:
            raise ReadError(f"{name} waits for the device between two logs")
        self.waits.append(name)

    @contextlib.contextmanager
    def unread(self):
        """Within this block, whatever reads the device or waits for it raises ReadError and says what it was."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def counted(self):
        """How often each launch occurred, by name."""
        return dict(Counter(self.launches))


LOG = Log()
