"""Check the architecture: which package may import which, unique names, and no work at import."""

import ast
import itertools
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import PATIENCE
from paths import PROJECT

CODE = PROJECT / "speedtest"
GROUND = {"environment", "variables", "events", "values", "logging", "measurement", "process", "version"}
MAY_IMPORT: dict[str, set[str]] = {
    "handlers": {
        "campaigns",
        "alerts",
        "daemon",
        "delivery",
        "evidence",
        "page",
        "report",
        "figures",
        "terminal",
        "data",
        "sample_year",
        "speedtest",
        "programs",
        "verdicts",
    }
    | {"engines", "http_test", "programs", "publishing"}
    | GROUND,
    "alerts": {"daemon", "report", "figures", "data"} | GROUND,
    "page": {"report", "figures", "data"} | GROUND,
    "report": {"figures", "values", "logging"},
    "daemon": {"campaigns", "speedtest", "programs", "engines", "data", "probing"} | GROUND,
    "delivery": {"data", "environment", "values", "logging"},
    "publishing": {"data", "environment", "values", "logging", "version"},
    "evidence": {"verdicts", "data", "logging"},
    "verdicts": {"figures", "data", "environment", "values"},
    "figures": {"data", "environment", "measurement", "values"},
    "terminal": {"data", "engines"} | GROUND,
    "sample_year": {"sample_watch", "data", "measurement"},
    "sample_watch": {"measurement"},
    "speedtest": {"programs", "engines"} | GROUND,
    "programs": {"engines"} | GROUND,
    "probing": {"engines", "values", "measurement"},
    "campaigns": {"data", "measurement", "values"},
    "data": {"engines", "environment", "values", "logging", "measurement"},
    "engines": {"values", "logging", "measurement", "process"},
    "ndt7_test": {"http_test", "values", "version"},
    "http_test": {"values", "version"},
    "router": set(),
    "environment": {"values", "variables"},
    "variables": {"values"},
    "values": set(),
    "logging": {"events"},
    "events": set(),
    "measurement": set(),
    "process": set(),
    "version": set(),
}
"""The packages that each package may import: those below it in CONTRIBUTING.md's picture that it needs."""
STARTED = ("http_test", "router", "ndt7_test")
"""The programs that the daemon starts as children."""


def modules() -> list[Path]:
    return sorted(path for path in CODE.rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported(path: Path) -> Iterator[str]:
    """Yield our modules that a module imports, anywhere in its code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "speedtest")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import: write the whole name"
            if node.module == "speedtest":
                yield from (f"speedtest.{alias.name}" for alias in node.names)
            elif node.module and node.module.startswith("speedtest."):
                yield node.module


def test_every_room_imports_only_rooms_below_it() -> None:
    wrong = [
        f"{dotted(path)} imports {target}"
        for path in modules()
        for target in imported(path)
        if room(target) not in {room(dotted(path)), *MAY_IMPORT.get(room(dotted(path)), set())}
    ]
    assert wrong == []


def test_the_arrows_make_no_circle_and_every_room_is_in_the_table() -> None:
    below: set[str] = set()
    for name in reversed(MAY_IMPORT):  # from the bottom up: each may import only those seen before
        assert MAY_IMPORT[name] <= below, name
        below.add(name)
    assert {room(dotted(path)) for path in modules()} - {""} == set(MAY_IMPORT)


def arrows_of_the_picture() -> dict[str, set[str]]:
    """Return the arrows that CONTRIBUTING.md draws; `ground` stands for five rooms."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    picture = text.partition("```mermaid\n")[2].partition("```")[0]
    drawn: dict[str, set[str]] = defaultdict(set)
    for line in picture.splitlines():
        if "-->" in line:
            for above, below in itertools.pairwise(name.strip() for name in line.split("-->")):
                drawn[above] |= GROUND if below == "ground" else {below}
    return drawn


def test_the_picture_in_contributing_draws_arrows_that_are_allowed_and_none_is_missing() -> None:
    drawn = arrows_of_the_picture()
    assert {f"{above} → {below}" for above in drawn for below in drawn[above] - GROUND - MAY_IMPORT[above]} == set()
    for above in MAY_IMPORT.keys() - GROUND:
        reached, more = set[str](), {above}
        while more:
            reached |= more
            more = {below for name in more for below in drawn[name]} - reached
        assert MAY_IMPORT[above] <= reached, above


def test_only_handlers_are_started_and_nothing_imports_one_but_their_list() -> None:
    for path in modules():
        if "handlers" not in path.parts and path.parent.name not in STARTED:
            assert "__main__" not in path.read_text(encoding="utf-8"), path
        for target in imported(path):
            assert room(target) != "handlers" or path.name in ("cli.py", "loop.py"), (path, target)


def test_no_two_public_classes_and_no_two_public_type_names_are_called_the_same() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.name if isinstance(node, ast.ClassDef | ast.TypeAlias) else None
            name = name.id if isinstance(name, ast.Name) else name
            if name and not name.startswith("_"):
                places[name].add(dotted(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


LOOK = """
import csv, os, signal, sys, threading
import dateutil.tz  # the `six` of some versions changes sys.meta_path
import pyarrow as pa

def look():
    return {
        "Arrow's memory pool": pa.default_memory_pool().backend_name,
        "Arrow's threads": (pa.cpu_count(), pa.io_thread_count()),
        "threads": threading.active_count(),
        "signal handlers": [signal.getsignal(number) for number in signal.valid_signals()],
        "the longest CSV field": csv.field_size_limit(),
        "sys.meta_path": list(map(repr, sys.meta_path)),
        "the environment": dict(os.environ),
        "the log's handlers": __import__("logging").getLogger().handlers[:],
    }

before = look()
for module in sys.argv[1:]:
    child = os.fork()
    if not child:
        __import__(module)
        changed = [name for name, value in look().items() if value != before[name]]
        if changed:
            print(f"importing {module} changes {', '.join(changed)}", flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(f"{module} cannot be imported", flush=True)
"""
"""Imports each module in its own process, and prints what the import changed."""


@pytest.mark.slow
def test_importing_a_module_does_no_work() -> None:
    names = [dotted(path) for path in modules()]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", LOOK, *names],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 4,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 360
