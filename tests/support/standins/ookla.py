"""A stand-in for Ookla's CLI: an executable `speedtest` that behaves as documented, or misbehaves on demand.

`BEHAVIOURS` lists all that it can do, and the row that must result. The program is one /bin/sh script, which starts in
about two milliseconds. It records how it was called and the ids of its processes.
"""

import contextlib
import os
import shlex
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from standins import ookla_texts as texts
from standins.ookla_behaviours import BEHAVIOURS, NOW, SLEEP, Behaviour, say
from standins.ookla_results import RESULTS

__all__ = [
    "BEHAVIOURS",
    "NOW",
    "RESULTS",
    "VERSIONS",
    "Behaviour",
    "alive",
    "calls",
    "end",
    "environment",
    "install",
]

VERSIONS: Mapping[str, str] = {
    "1.2.0": say(
        "Speedtest by Ookla 1.2.0.84 (ea6b6773cf) Linux/x86_64-linux-musl 6.2.0-32-generic x86_64\n\n"
        "The official command line client for testing the speed and performance\nof your internet connection.\n"
    ),
    "1.0.0": say("Speedtest by Ookla 1.0.0.2 (5ae238b) Linux 5.4.0-42-generic x86_64\n"),
    "says nothing": "exit 1",
    "hangs": SLEEP,
}

SCRIPT = """\
#!/bin/sh
# A stand-in for Ookla's CLI, behaving as: {name}
record={record}
ulimit -c 0
note() {{ {{ printf '%s\\n' "$1"; }} 2>/dev/null >>"$record.processes"; }}
note $$
{{ for argument; do printf '%s\\037' "$argument"; done; printf '\\n'; }} 2>/dev/null >>"$record.calls"
license= gdpr= format=human-readable progress=no
for argument; do
  case $argument in
    --version | -V) {version}; exit ;;
    --accept-license) license=yes ;;
    --accept-gdpr) gdpr=yes ;;
    --format=*) format=${{argument#*=}} ;;
    --progress=*) progress=${{argument#*=}} ;;
    --server-id=*[!0-9]* | --server-id=) printf '[error] Invalid server id\\n' >&2; exit 2 ;;
    --server-id=*) ;;
    *) printf '[error] Unknown option: %s\\n' "$argument" >&2; exit 1 ;;
  esac
done
if [ -z "${{HOME+set}}" ]; then {no_home}; kill -ABRT $$; fi
if [ -z "$license" ]; then {licence}; exit 1; fi
if [ -z "$gdpr" ]; then {privacy}; exit 1; fi
case $format in
  json) if [ "$progress" = yes ]; then {progress}; fi ;;
  jsonl) if [ "$progress" = yes ]; then {events}; fi ;;
  *) printf '   Download:   290.00 Mbps\\n'; exit 0 ;;
esac
{body}
"""


def install(  # noqa: PLR0913 - each is one property of the program, passed by name
    folder: Path,
    behaviour: str = "good result, 1.2.0",
    *,
    version: str = "1.2.0",
    result: str | bytes | None = None,
    seconds: float = 0,
    halfway: str = ":",
    name: str = "speedtest",
) -> Path:
    """Write an executable `speedtest` into `folder`, replacing any other, and return its path.

    `version` is a key of `VERSIONS`, or the text that `--version` prints.
    `result` is printed instead of what `behaviour` does, with exit code 0; `NOW` in it becomes the current time.
    `seconds` is how long the test waits before it does anything.
    `halfway` is /bin/sh code that runs after the events of the download, if progress is requested.
    """
    body = BEHAVIOURS[behaviour].script if result is None else say(result)
    script = SCRIPT.format(
        name=behaviour if result is None else "a result of the test's own",
        record=shlex.quote(str(folder / name)),
        version=VERSIONS.get(version) or say(version + "\n"),
        no_home=say(texts.NO_HOME, to=2),
        licence=say(texts.LICENCE, to=2),
        privacy=say(texts.PRIVACY, to=2),
        progress=say(texts.TEST_START),
        events="\n".join([say(texts.TEST_START + texts.DOWNLOADING), halfway, say(texts.UPLOADING)]),
        body=f"sleep {seconds}\n{body}" if seconds else body,
    )
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{name}.new"
    draft.write_text(script, encoding="utf-8")
    draft.chmod(0o755)
    return draft.replace(folder / name)  # do not disturb a shell that still reads the old program


def calls(program: Path) -> list[list[str]]:
    """Return the arguments of each call of a program that `install` wrote, `--version` included."""
    return [line.split("\x1f")[:-1] for line in records(program, "calls").splitlines()]


def environment(program: Path) -> dict[str, str]:
    """Return the environment in which the behaviour `records its environment` was started last."""
    entries = records(program, "environment").split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def alive(program: Path) -> list[int]:
    """Return the ids of the program's own processes, and those it left behind, that still run."""
    return [pid for pid in map(int, records(program, "processes").split()) if runs(pid)]


def end(program: Path) -> None:
    """Kill the program's processes that still run, and wait until they are gone. For behaviours that `escape`."""
    limit = time.monotonic() + 10
    while pids := alive(program):
        if time.monotonic() > limit:
            raise TimeoutError(f"processes {pids} of {program} are still alive 10 s after SIGKILL")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def records(program: Path, what: str) -> str:
    file = program.with_name(f"{program.name}.{what}")
    return file.read_text(encoding="utf-8") if file.exists() else ""


def runs(pid: int) -> bool:
    """Say whether a process exists and is not a zombie, which only waits for its parent."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self/stat").exists()
    return state != "Z"
