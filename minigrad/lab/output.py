"""Files written whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["check_directory", "write_all"]


def check_directory(path: Path) -> Path:
    """Return `path` if files can be written there, once it is made; OSError says why not. Nothing is made yet."""
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} exists and is not a directory")
    nearest = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(f"{nearest} exists and is not a directory")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"no permission to write in {nearest}")
    return path


def write_all(directory: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write every file of `files` into `directory`, each under a passing name first; return where they are.

    Only when all contents are on disk do they take their names, each at once. If anything fails before, the directory
    holds what it held.
    """
    directory.mkdir(parents=True, exist_ok=True)
    waiting: list[tuple[Path, Path]] = []
    try:
        for name, content in files.items():
            handle, passing = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
            waiting.append((Path(passing), directory / name))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(passing).chmod(0o666 & ~_umask())
        for passing_path, path in waiting:
            os.replace(passing_path, path)
    finally:
        for passing_path, _ in waiting:
            passing_path.unlink(missing_ok=True)
    return [path for _, path in waiting]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
