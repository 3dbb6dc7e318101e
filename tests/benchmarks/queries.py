"""Let other engines read the lake unchanged: the same query to each, without schema options. Compare the answers."""

import shutil
from collections.abc import Sequence

import msgspec

from tests.benchmarks import elsewhere
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import in_a_process
from tests.benchmarks.report import Cell, Report, Table

NEEDED = {
    "duckdb": "the folder",
    "polars": "the folder",
    "pandas": "the folder",
    "pyspark": "the folder, Java, and a setting for its time zone: it computes in the machine's",
}


class Told(msgspec.Struct, frozen=True):
    """An engine's answer, medians by hour, and the seconds it took without imports."""

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
    title = f"Median download by hour of the day over {ground.days} days, read from the lake by other engines"
    return Report([], [Table(title, ["engine", "time, s", "answer", "what it needed"], rows)])


def ask(name: str, ground: Ground) -> Told:
    """Query an engine in its own process. Raises elsewhere.Missing if it is not available."""
    arguments = ("tests.benchmarks.questions", name, str(ground.lake))
    if name != "pyspark":
        return msgspec.json.decode(in_a_process(*arguments), type=Told)
    if ground.quick:
        raise elsewhere.Missing("it takes a minute to start, so only a full run asks it")
    if not shutil.which("java"):
        raise elsewhere.Missing("Java is not on PATH")
    return msgspec.json.decode(elsewhere.run(["pyspark"], "-m", *arguments), type=Told)


def is_same(these: Sequence[tuple[int, float]], those: Sequence[tuple[int, float]]) -> bool:
    """Say whether two answers have the same hours, and medians that differ at most by rounding."""
    return [hour for hour, _ in these] == [hour for hour, _ in those] and all(
        abs(this - that) <= 1e-9 * abs(that) for (_, this), (_, that) in zip(these, those, strict=True)
    )
