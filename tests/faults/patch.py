"""Make a mutant: replace a function of the real code, often by one that calls it."""

from collections.abc import Callable
from typing import Any


def put(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """Replace an attribute of a module or a class by the result of `make(attribute)`."""
    setattr(owner, name, make(getattr(owner, name)))


def get(owner: object, name: str) -> Any:  # noqa: ANN401 (it can be anything)
    return getattr(owner, name)


def nothing(*_: object, **__: object) -> None:
    """Do nothing."""
