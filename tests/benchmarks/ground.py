"""The data that benchmarks work on, made once a run: a backlog of CSV files and the lake that it becomes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp

from speedtest.data import partitions
from tests.benchmarks import rows
from tests.benchmarks.harness import in_a_process


class Ground:
    """A folder of its own, and what lies in it."""

    def __init__(self, folder: Path, *, days: int, quick: bool) -> None:
        self.folder = folder
        self.days = days
        self.quick = quick

    @cached_property
    def backlog(self) -> Path:
        """So many days of CSV files; nobody changes them."""
        folder = self.folder / "backlog"
        rows.write(folder, self.days)
        os.sync()
        return folder

    @cached_property
    def lake(self) -> Path:
        """What SpeedSnake makes of the backlog; nobody changes it."""
        lake, copy = self.folder / "lake", self.folder / "converted"
        shutil.copytree(self.backlog, copy)
        in_a_process("tests.benchmarks.contestants", "SpeedSnake", str(copy), str(lake))
        return lake

    @cached_property
    def ten_years(self) -> Path:
        """The lake, and before it files for the rest of ten years, which hold rows of other days: nobody reads them."""
        lake = self.folder / "ten years"
        shutil.copytree(self.lake, lake)
        any_file = next(iter(sorted(lake.rglob("*.parquet"))))
        for number in range(1, 3653 - self.days):
            folder = self.day(lake, (rows.FIRST_DAY - timedelta(days=number)).date())
            folder.mkdir(parents=True)
            (folder / any_file.name).hardlink_to(any_file)
        return lake

    def day(self, lake: Path, day: date) -> Path:
        return partitions.day_folder(lake / f"location={rows.HOME}", day)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder for a while."""
        folder = Path(mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
