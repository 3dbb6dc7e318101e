"""The benchmarks work on a tiny lake. These tests do not check any time."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from paths import PROJECT

from speedtest.data import lake
from tests.benchmarks import __main__ as command, questions, rows
from tests.benchmarks.daemon import SETTLED, cost_of_cycles
from tests.benchmarks.ground import Ground
from tests.benchmarks.report import Figure, grid

DAYS = 3


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"), days=DAYS, quick=True)


def test_every_measured_number_of_the_rows_is_different_and_each_tenth_attempt_failed() -> None:
    day = [next(csv.DictReader(io.StringIO(row.data.decode()))) for row in rows.rows_of(rows.FIRST_DAY)]
    assert Counter(row["status"] for row in day) == {"ok": 130, "failed": 14}
    good = [row for row in day if row["status"] == "ok"]
    for column in ("download_mbps", "upload_mbps", "download_bytes", "upload_bytes", "data_bytes", "server_id"):
        assert len({row[column] for row in good}) == len(good)
    assert len({row["download_latency_high"] for row in good}) > 0.99 * len(good)


@pytest.mark.slow
def test_the_benchmarks_of_data_find_figures_and_write_them_as_json(tmp_path: Path) -> None:
    """It takes ten seconds because each contestant and each repetition is a new process that imports its libraries."""
    options = ("--quick", "--days", str(DAYS), "--folder", str(tmp_path), "--json", str(tmp_path / "found.json"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *options, "conversion", "size", "reading", "page"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    figures = [figure for benchmark in found["benchmarks"].values() for figure in benchmark["figures"]]
    assert len(figures) >= 5
    assert all(figure["value"] > 0 for figure in figures if "errors" not in figure["what"])
    assert all(figure["what"] in done.stdout for figure in figures)
    assert "SpeedSnake" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


def test_a_name_that_is_no_benchmark_is_refused() -> None:
    with pytest.raises(SystemExit):
        command.main(["conversions"])


def test_every_engine_gives_the_same_answer_without_an_option_about_schemas(ground: Ground) -> None:
    frame = lake.read(upload_dir=ground.lake, result_dir=ground.folder / "none")
    assert len(frame) == DAYS * rows.ROWS_A_DAY
    expected = frame.groupby(frame["timestamp"].dt.hour)["download_mbps"].median().to_dict()
    for name in ("duckdb", "polars", "pandas"):
        assert questions.ENGINES[name](ground.lake) == pytest.approx(expected)


@pytest.mark.slow
def test_cycles_of_a_daemon_are_counted_and_cost_something(ground: Ground) -> None:
    cpu, growth = cost_of_cycles(ground, SETTLED + 20)
    assert cpu > 0
    assert abs(growth) < 100


def test_the_lake_of_ten_years_has_a_file_for_each_day(ground: Ground) -> None:
    assert len(list(ground.ten_years.rglob("*.parquet"))) == 3652


@pytest.mark.parametrize(
    ("value", "sense", "verdict"),
    [
        (3, "at most", "aim reached"),
        (5, "at most", "within budget"),
        (7, "at most", "OVER BUDGET"),
        (7, "at least", "aim reached"),
        (5, "at least", "OVER BUDGET"),
    ],
)
def test_a_figure_is_judged_by_its_budget_and_its_aim(value: float, sense: str, verdict: str) -> None:
    limits = {"at most": (6, 4), "at least": (6, 6.5)}[sense]
    figure = Figure(what="x", value=value, unit="s", sense=sense, budget=limits[0], aim=limits[1])  # pyrefly: ignore[bad-argument-type]
    assert figure.verdict == verdict


def test_a_table_is_markdown_with_figures_of_three_digits() -> None:
    assert grid(["what", "s"], [["a", 1234.5], ["long", 0.012345], ["-", None]]).splitlines() == [
        "| what |      s |",
        "|------|-------:|",
        "| a    |  1,234 |",
        "| long | 0.0123 |",
        "| -    |        |",
    ]
