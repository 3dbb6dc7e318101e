"""A speed-test program that answers at once, dates each answer one second later, and reports its calls to a pipe."""

import os
import select
import shlex
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.benchmarks import rows

SCRIPT = """\
#!/bin/sh
# A stand-in for Ookla's CLI. It starts no other program, so it takes almost no time.
for argument; do
  if [ "$argument" = --version ]; then
    echo asked >{pipe}
    echo 'Speedtest by Ookla 1.2.0.84 (ea6b6773cf) Linux/x86_64-linux-musl'
    echo answered >{pipe}
    exit
  fi
done
echo started >{pipe}
{{ read number <{count}; }} 2>/dev/null
number=$((number + 1))
echo "$number" >{count}
printf '{result}\\n' "$((number / 3600 % 24))" "$((number / 60 % 60))" "$((number % 60))"
"""


class Program:
    """Such a program, and its reports so far."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.told: Counter[str] = Counter()
        pipe = folder / "pipe"
        os.mkfifo(pipe)
        self._pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # both ends, so that the program never waits
        self._rest = b""
        program = folder / "speedtest"
        places = {"pipe": shlex.quote(str(pipe)), "count": shlex.quote(str(folder / "count"))}
        program.write_text(SCRIPT.format(**places, result=_result()), encoding="utf-8")
        program.chmod(0o755)

    def wait(self, word: str, times: int = 1, seconds: float = 60) -> float:
        """Wait until it has reported this word `times` times, and return when that was."""
        end = time.perf_counter() + seconds
        while self.told[word] < times:
            if not select.select([self._pipe], [], [], max(end - time.perf_counter(), 0))[0]:
                raise TimeoutError(f"the program was {word} {self.told[word]} times in {seconds:g} s, not {times}")
            *words, self._rest = (self._rest + os.read(self._pipe, 65_536)).split(b"\n")
            self.told.update(each.decode() for each in words)
        return time.perf_counter()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._pipe)


def _result() -> str:
    """Return a result for printf, dated tomorrow, so that its day does not become complete during the benchmark."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    text = rows.result(rows.random.Random(0), tomorrow)
    literal = text.replace("\\", "\\\\").replace("%", "%%").replace("'", "'\\''")
    return literal.replace(f"{tomorrow:%H:%M:%S}", "%02d:%02d:%02d", 1)
