"""Show the progress of a conversion as a bar over its days."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from speedtest.data.conversion import Begun
from speedtest.data.partitions import complete_days
from speedtest.terminal import console


@contextmanager
def bar(result_dir: Path) -> Iterator[Begun]:
    """Show how many of the complete days are done. Yield the function to call when a day begins."""
    total = sum(1 for _ in complete_days(result_dir, datetime.now(UTC).date(), lambda _: None))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"))
    with Progress(*columns, TimeRemainingColumn(), console=console.console(errors=True)) as progress:
        task = progress.add_task("converting", total=total)
        before = -1

        def begun(day: date) -> None:
            nonlocal before
            before += 1
            progress.update(task, completed=before, description=f"converting {day}")

        yield begun
        progress.update(task, completed=total)
