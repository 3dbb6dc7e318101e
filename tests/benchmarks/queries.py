"""Others read the lake as it lies: the same question to each, without any option about schemas, and one answer."""

import shutil
from collections.abc import Sequence

import msgspec

from tests.benchmarks import elsewhere
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import in_a_process
from tests.benchmarks.report import Cell, Report, Table

NEEDED = {
    "duckdb": "a glob of the files",
    "polars": "a glob of the files: beside them lies the lock of conversions",
    "pandas": "the folder",
    "pyspark": "the folder, Java, and a setting for its time zone: it computes in the machine's",
}


class Told(msgspec.Struct, frozen=True):
    """What an engine answered: hour and median, and after how many seconds, imports apart."""

    seconds: float
    answer: Sequence[tuple[int, float]]


def run(ground: Ground) -> Report:
    """Ask each engine and compare the answers."""
    rows: list[list[Cell]] = []
    answers: dict[str, Sequence[tuple[int, float]]] = {}
    for name, needed in NEEDED.items():
        try:
            told = ask(name, ground)
        except elsewhere.Missing as why:
            rows.append([name, None, f"not asked: {why}", needed])
            continue
        answers[name] = told.answer
        same = all(is_same(told.answer, other) for other in answers.values())
        rows.append([name, told.seconds, "the same" if same else "ANOTHER", needed])
    title = f"Median download by hour of the day over {ground.days} days, asked of the lake as it lies"
    return Report([], [Table(title, ["engine", "time, s", "answer", "what it needed"], rows)])


def ask(name: str, ground: Ground) -> Told:
    """Ask an engine in a process of its own. Raises elsewhere.Missing where it cannot be had."""
    arguments = ("tests.benchmarks.questions", name, str(ground.lake))
    if name != "pyspark":
        return msgspec.json.decode(in_a_process(*arguments), type=Told)
    if ground.quick:
        raise elsewhere.Missing("it takes a minute to start: left to a full run")
    if not shutil.which("java"):
        raise elsewhere.Missing("Java is not here")
    return msgspec.json.decode(elsewhere.run(["pyspark"], "-m", *arguments), type=Told)


def is_same(these: Sequence[tuple[int, float]], those: Sequence[tuple[int, float]]) -> bool:
    """Compare two answers: the same hours, and medians that differ by rounding at most."""
    return [hour for hour, _ in these] == [hour for hour, _ in those] and all(
        abs(this - that) <= 1e-9 * abs(that) for (_, this), (_, that) in zip(these, those, strict=True)
    )
