"""How a mutant is made: a function of the real code is replaced, often by one that calls it."""

from collections.abc import Callable
from typing import Any


def put(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """Put in the place of a module's or a class's attribute what `make` makes of it."""
    setattr(owner, name, make(getattr(owner, name)))


def get(owner: object, name: str) -> Any:  # noqa: ANN401 (whatever lies there)
    return getattr(owner, name)


def nothing(*_: object, **__: object) -> None:
    """Do nothing, whatever is asked."""
