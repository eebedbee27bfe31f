"""Compiled CUDA kernels as files in the user's cache directory, beside what numba keeps there.

A file is named by a digest of everything that decides its content, so nothing in the directory is ever out of date. It
holds a checksum and what NVRTC made, which a driver takes as it is: nothing in it is executed on the host or unpickled.
"""

import contextlib

from minigrad import backend
from minigrad.executors import cache

__all__ = ["FORMAT", "binary", "key"]

FORMAT = "minigrad kernel 1"  # of these files; to be counted up when what is said of them here changes


def binary(source: str, architecture: str) -> bytes:
    """Return what `minigrad.backend.compiled` returns, from a file if it was compiled on this machine before.

    A file that is damaged is written anew; one that cannot be written is left out.

    Raises RuntimeError with the compiler's log.
    """
    name = key(source, architecture)
    made = _read(name)
    if made is None:
        made = backend.compiled(source, architecture)
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: there is no home directory
            cache.write(cache.directory() / f"{name}.bin", _checksum(name, made) + made)
    return made


def key(source: str, architecture: str) -> str:
    """Return the name, without its ending, under which a kernel is kept."""
    parts = (FORMAT, backend.compiler(), architecture, source)
    return f"minigrad_kernel_{_digest(*(part.encode() for part in parts)).hex()[:32]}"


def _read(name: str) -> bytes | None:
    """Return the content of a file, or None unless it is there and as it was written."""
    with contextlib.suppress(OSError, RuntimeError):
        found = (cache.directory() / f"{name}.bin").read_bytes()
        made = found[len(_checksum(name, b"")) :]
        if found == _checksum(name, made) + made:
            return made
    return None


def _checksum(name: str, made: bytes) -> bytes:
    return _digest(name.encode(), made)


def _digest(*parts: bytes) -> bytes:
    """Return a SHA-256 over all parts and their lengths, so that no two lists of parts are alike."""
    import hashlib  # here, since `import minigrad` would take noticeably longer

    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
