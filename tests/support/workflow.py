"""Tell which event starts a workflow and which of its jobs run, as far as our workflows use GitHub's rules."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml
from paths import PROJECT

GITHUB = PROJECT / ".github"
TOKEN = re.compile(r"\s*(?:'(?P<text>[^']*)'|(?P<sign>&&|\|\||==|[!()])|(?P<name>[a-z][\w.-]*))")
STATUS = ("success", "failure", "cancelled", "always")


@dataclass(frozen=True)
class Event:
    """Something that happens to the repository."""

    name: str
    ref: str = "refs/heads/main"
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workflow:
    """One workflow file."""

    document: dict[Any, Any]

    @classmethod
    def read(cls, name: str) -> "Workflow":
        """Read one of the repository's workflows."""
        return cls(yaml.safe_load((GITHUB / "workflows" / name).read_text()))

    @property
    def jobs(self) -> dict[str, Any]:
        """The jobs by name, in the order of the file."""
        return dict(self.document["jobs"])

    def starts_on(self, event: Event) -> bool:
        """Say whether GitHub starts it. YAML reads the key `on` as true."""
        triggers = self.document[True]
        if event.name not in triggers:
            return False
        limits = triggers[event.name] or {}
        kind, _, short = event.ref.removeprefix("refs/").partition("/")
        if not _matches([short], limits.get({"heads": "branches", "tags": "tags"}[kind], ["*"] if not limits else [])):
            return False
        return kind == "tags" or "paths" not in limits or _matches(event.files, limits["paths"])

    def results(self, outputs: dict[str, dict[str, str]], ends: dict[str, str] | None = None) -> dict[str, str]:
        """Return the result of every job: from `ends`, `skipped`, or `success`."""
        found: dict[str, str] = {}
        for name, job in self.jobs.items():
            needs = job.get("needs", [])
            assert set(needs) <= set(found), f"job {name} is written before a job that it needs"
            values = {f"needs.{need}.result": found[need] for need in needs}
            values |= {
                f"needs.{need}.outputs.{key}": value for need in needs for key, value in outputs.get(need, {}).items()
            }
            runs = _holds(job.get("if", "success()"), values, [found[need] for need in needs])
            found[name] = (ends or {}).get(name, "success") if runs else "skipped"
        return found


def _matches(names: Iterable[str], patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _holds(condition: str, values: dict[str, str], needed: list[str]) -> bool:
    status: dict[str, Callable[[], bool]] = {
        "success": lambda: all(result == "success" for result in needed),
        "failure": lambda: "failure" in needed,
        "cancelled": lambda: False,
        "always": lambda: True,
    }
    held = bool(_Condition(condition, values, status).either())
    return held if any(f"{name}()" in condition for name in STATUS) else held and status["success"]()


class _Condition:
    """Evaluates an expression, from the weakest operator to the strongest."""

    def __init__(self, text: str, values: dict[str, str], status: dict[str, Callable[[], bool]]) -> None:
        self.values, self.status = values, status
        self.tokens = [token for token in TOKEN.finditer(text) if token.group().strip()]
        assert "".join(token.group() for token in self.tokens).split() == text.split(), f"cannot parse: {text}"

    def next_is(self, sign: str) -> bool:
        if self.tokens and self.tokens[0]["sign"] == sign:
            self.tokens.pop(0)
            return True
        return False

    def either(self) -> str | bool:
        found = self.both()
        while self.next_is("||"):
            other = self.both()
            found = found or other
        return found

    def both(self) -> str | bool:
        found = self.equal()
        while self.next_is("&&"):
            other = self.equal()
            found = found and other
        return found

    def equal(self) -> str | bool:
        found = self.single()
        return found == self.single() if self.next_is("==") else found

    def single(self) -> str | bool:
        if self.next_is("!"):
            return not self.single()
        if self.next_is("("):
            found = self.either()
            assert self.next_is(")")
            return found
        token = self.tokens.pop(0)
        if token["text"] is not None:
            return token["text"]
        if self.next_is("("):
            assert self.next_is(")")
            return self.status[token["name"]]()
        return self.values[token["name"]]
