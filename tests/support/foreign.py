"""Rows of other programs: files that are no results of SpeedSnake."""

from datetime import datetime, timedelta
from pathlib import Path


def without_status(result_dir: Path, when: datetime, count: int = 1) -> None:
    """Save rows that no program here knows: they have a timestamp, and no status."""
    for number in range(count):
        moment = when + timedelta(minutes=10 * number)
        folder = result_dir / f"{moment:year=%Y/month=%m/day=%d}"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"timestamp,reading\n{moment:%Y-%m-%dT%H:%M:%SZ},{number}\n"
        (folder / f"speedtest_{moment:%H-%M-%S}_x.csv").write_text(text)


def false_result(result_dir: Path, when: datetime) -> None:
    """Save a row of the original program whose result cannot be true: it has no common columns."""
    folder = result_dir / f"{when:year=%Y/month=%m/day=%d}"
    folder.mkdir(parents=True, exist_ok=True)
    row = f"timestamp,type,ping_latency,download_bandwidth,upload_bandwidth\n{when:%Y-%m-%dT%H:%M:%SZ},result,-5,-1,1\n"
    (folder / f"speedtest_{when:%H-%M-%S}.csv").write_text(row)
