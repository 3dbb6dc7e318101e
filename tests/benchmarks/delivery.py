"""Deliver a backlog to a real SeaweedFS: compare SpeedSnake with bare puts and with what people would write instead."""

import shutil
import subprocess
import sys

import msgspec
import object_store
from object_store import ADMIN, ObjectServer
from paths import PROJECT

from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import environment, ratio, turns
from tests.benchmarks.report import Cell, Figure, Report, Table
from tests.benchmarks.rows import HOME

OURS, BARE, OBVIOUS = "SpeedSnake", "bare puts", "boto3"
ROUNDS = 5
MOST_MIB = 40
LEAST_SHARE = 0.6
NOTES = """\
SpeedSnake puts each file where there is none, reads it back whole, compares, and saves a receipt durably.
`bare puts` only puts: the same library, eight at once, no condition, nothing is read back.
`boto3` lists what is there, compares names and sizes, and puts what is missing, ten at once: what `aws s3 sync` does.
Each delivers to a new folder, in its own process, in turn. The times leave out the start of Python and imports.
""".splitlines()


class Cost(msgspec.Struct, frozen=True):
    """The seconds of a delivery, and the most memory that its process had, in MiB."""

    seconds: float
    peak_mib: float


def run(ground: Ground) -> Report:
    """Deliver the backlog with each contestant in turn."""
    costs: dict[str, list[Cost]] = {OURS: [], BARE: [], OBVIOUS: []}
    count = len(list(ground.lake.rglob("*.parquet")))
    with ground.scratch() as folder, object_store.seaweed(folder / "seaweed") as server:
        for number, name in turns(costs, 2 if ground.quick else ROUNDS):
            costs[name].append(_cost(ground, server, name, f"{name.split()[0]}-{number}"))
    return Report(_figures(costs), [_table(count, costs)])


def _cost(ground: Ground, server: ObjectServer, name: str, folder: str) -> Cost:
    with ground.scratch() as here:
        shutil.copytree(ground.lake, here / "uploads")
        places = {"UPLOAD_DIR": str(here / "uploads"), "RESULT_DIR": str(here / "results")}
        places |= {"SPEEDTEST_LOCATION_UUID": HOME, "LOG_LEVEL": "WARNING"}
        command = [sys.executable, "-m", "tests.benchmarks.delivery_contestants", name]
        around = environment(**server.variables(folder, keys=ADMIN), **places)  # boto3 lists, which an uploader may not
        done = subprocess.run(command, env=around, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Cost)


def _figures(costs: dict[str, list[Cost]]) -> list[Figure]:
    seconds = {name: [cost.seconds for cost in found] for name, found in costs.items()}
    return [
        Figure(
            what="delivery: rate of a backlog ÷ that of bare puts",
            value=ratio(seconds[BARE], seconds[OURS]),
            unit="",
            sense="at least",
            budget=LEAST_SHARE,
        ),
        Figure(
            what="delivery: rate of a backlog ÷ that of boto3, listing and putting",
            value=ratio(seconds[OBVIOUS], seconds[OURS]),
            unit="",
            sense="at least",
        ),
        Figure(
            what="delivery: most memory of the process",
            value=max(cost.peak_mib for cost in costs[OURS]),
            unit="MiB",
            budget=MOST_MIB,
        ),
    ]


def _table(count: int, costs: dict[str, list[Cost]]) -> Table:
    ours = [cost.seconds for cost in costs[OURS]]
    rows: list[list[Cell]] = []
    for name, found in costs.items():
        seconds = [cost.seconds for cost in found]
        middle = sorted(seconds)[len(seconds) // 2]
        rows.append([name, middle, ratio(seconds, ours), count / middle, max(cost.peak_mib for cost in found)])
    return Table(f"A backlog of {count} files", ["", "time, s", "times ours", "files/s", "peak, MiB"], rows, NOTES)
