"""Files in the user's cache directory: emitted sources, what numba compiled from them, and CUDA's kernels.

numba caches a function by the file that it stands in, so its source must be one. Files are named by their content, or
by what decides it: nothing in the directory is ever out of date, and all of it may be deleted at any time.
"""

import contextlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from types import ModuleType

__all__ = ["directory", "module", "write"]


def directory() -> Path:
    """Return where kernels are kept: ``minigrad/kernels`` under the platform's cache directory.

    That is ``$XDG_CACHE_HOME`` or ``~/.cache``, on macOS ``~/Library/Caches``, and on Windows ``%LOCALAPPDATA%``.
    """
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "minigrad" / "kernels"


def module(source: str) -> ModuleType:
    """Return `source` as an imported module, the same one for the same source.

    Where the cache directory cannot be written, a temporary one serves this process.
    """
    import hashlib  # here, since `import minigrad` would take noticeably longer

    name = f"minigrad_kernel_{hashlib.sha256(source.encode()).hexdigest()[:32]}"
    if name in sys.modules:
        return sys.modules[name]
    try:
        path = _write(directory() / f"{name}.py", source)
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        import tempfile

        path = _write(Path(tempfile.mkdtemp(prefix="minigrad-")) / f"{name}.py", source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found  # before it is executed: numba looks its module up there
    try:
        spec.loader.exec_module(found)
    except BaseException:
        del sys.modules[name]
        raise
    return found


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, whoever else writes it meanwhile. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _write(path: Path, source: str) -> Path:
    """Write a source, and leave a file alone that is as it should be: numba goes by its time."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text("utf-8") == source:
            return path
    write(path, source.encode())
    return path
