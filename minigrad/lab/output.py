"""Files written whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["check_directory", "write_all"]


def check_directory(path: Path) -> Path:
    """Return `path` if files can be written there; OSError says why not. What it takes to find out is undone."""
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} exists and is not a directory")
    missing = [p for p in (path, *path.parents) if not p.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise type(error)(f"cannot write in {path}: {error.strerror}") from error
    finally:
        for p in missing:
            if p.exists():
                p.rmdir()
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
