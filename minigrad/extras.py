"""Optional packages, imported when first needed, with an error that says what to install."""

import importlib
from typing import Any

__all__ = ["need"]


def need(module: str, extra: str) -> Any:
    """Return the imported `module`; ImportError names the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'{module} is not installed; it comes with the extra "{extra}": python -m pip install -e ".[{extra}]"'
        ) from error
