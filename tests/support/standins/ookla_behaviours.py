"""What the stand-in for Ookla's CLI can do, by name, and the row that must result."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from standins import ookla_texts as texts
from standins.ookla_results import RESULTS, V1_2_0, Result, Value, changed

NOW = "@now@"
"""In a printed text, stands for the current time in UTC and whole seconds, as the program writes it."""

FOREVER = 600
"""Seconds after which a hanging stand-in ends, so that none stays for ever."""


@dataclass(frozen=True)
class Behaviour:
    """What the program does, as /bin/sh code, and what its row must hold.

    `error` is text that the row's error must contain. `columns` are further columns that a test can compare.
    `endless`: it never ends by itself, so give it a short time limit. `escapes`: it leaves a process in its own
    session, which its parent cannot kill; `ookla.end` can.
    """

    script: str
    status: str
    error_kind: str | None = None
    error: str = ""
    exit_code: int | None = None
    endless: bool = False
    escapes: bool = False
    columns: Mapping[str, Value] = field(default_factory=dict)


def say(text: str | bytes, *, to: int = 1) -> str:
    """Return a shell command that prints exactly these bytes to a stream without starting another program."""
    data = text.encode() if isinstance(text, str) else text
    literal = "".join(printf_escape(byte) for byte in data)
    command = f"printf '{literal.replace(NOW, '%s')}'" + ' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"' * literal.count(NOW)
    return command if to == 1 else f"{command} >&{to}"


def printf_escape(byte: int) -> str:
    if byte == ord("%"):
        return "%%"
    plain = ord(" ") <= byte <= ord("~") and byte not in b"'\\"
    return chr(byte) if plain else f"\\{byte:03o}"


def good(*lines: str, columns: Mapping[str, Value] = RESULTS["1.2.0"].columns, escapes: bool = False) -> Behaviour:
    """Run `lines`, exit with 0, and count as a success."""
    return Behaviour("\n".join(lines), "ok", exit_code=0, columns=columns, escapes=escapes)


def bad(kind: str, error: str, exit_code: int, *lines: str) -> Behaviour:
    """Run `lines`, end with `exit_code` (below 0: by that signal), and count as a failure."""
    end = f"exit {exit_code}" if exit_code >= 0 else f"kill {exit_code} $$"
    return Behaviour("\n".join([*lines, end]), "failed", kind, error, exit_code)


def hang(*lines: str) -> Behaviour:
    """Run `lines`, which never end."""
    return Behaviour("\n".join(lines), "failed", "timeout", endless=True)


def malformed(error: str, *changes: tuple[str, str]) -> Behaviour:
    """Print the good result with a change that makes it unreadable."""
    return bad("malformed", error, 0, say(changed(V1_2_0, *changes) + "\n"))


def partly(lost: str, *changes: tuple[str, str]) -> Behaviour:
    """Print the good result with a change that loses this column alone."""
    columns = {**RESULTS["1.2.0"].columns, lost: None}
    return good(say(changed(V1_2_0, *changes) + "\n"), columns=columns)


def rejected(error: str, *changes: tuple[str, str]) -> Behaviour:
    """Print the good result with a change that makes it implausible."""
    return bad("rejected", error, 0, say(changed(V1_2_0, *changes) + "\n"))


def result_of(result: Result) -> Behaviour:
    """Print this result and nothing else."""
    return good(say(result.text + "\n"), columns=result.columns)


RESULT = say(V1_2_0 + "\n")
SLEEP = f"exec sleep {FOREVER}"
CHILD = f'sleep {FOREVER} & note "$!"'
STUBBORN_CHILD = f"(trap '' TERM; exec sleep {FOREVER}) & note \"$!\""
ESCAPED_CHILD = f'setsid sleep {FOREVER} & note "$!"'
ERROR_OBJECT = say('{"error":"Cannot open socket"}\n')
NOISE = f"yes '{'noise ' * 15}'"
DOWNLOAD = '"bandwidth":36250000'
UPLOAD = '"bandwidth":1562500'
LOSS = '"packetLoss":1.7647058823529411'
LATENCY = '"latency":15.352'
LATER = changed(V1_2_0, ("14:25:36Z", "14:25:37Z"), (DOWNLOAD, '"bandwidth":37500000'))
NESTED = f"{'[' * 100_000}{']' * 100_000}"

GOOD: Mapping[str, Behaviour] = {
    **{f"good result, {name}": result_of(result) for name, result in RESULTS.items()},
    "log records on stderr beside a result": good(say(texts.NO_SOCKET * 3, to=2), RESULT),
    "licence banner on stderr before a result": good(say(texts.LICENCE + texts.ACCEPTED, to=2), RESULT),
    "home not writable": good(say(texts.ACCEPTED + texts.NOT_SAVED, to=2), RESULT),
    "other lines of json before a result": good(say(texts.TEST_START + texts.NO_SOCKET), RESULT),
    "plain lines before a result": good(say("==== © notice ====\n\n[warning] slow name server\n"), RESULT),
    "log record after a result": good(RESULT, say(texts.NOT_SAVED)),
    "no newline after a result": good(say(V1_2_0)),
    "several results, the last counts": good(
        RESULT,
        say(LATER + "\n"),
        columns={**RESULTS["1.2.0"].columns, "timestamp": "2024-03-09T14:25:37Z", "download_mbps": 300.0},
    ),
    "3 MB on stderr before a result": good(f"{NOISE} | head -c 3000000 >&2", RESULT),
    "a result in drips": good(
        *(f"{say(V1_2_0[start : start + 200])}; sleep 0.1" for start in range(0, len(V1_2_0), 200)), "printf '\\n'"
    ),
    "a grandchild keeps the pipe open": good(CHILD, RESULT),
    "a grandchild keeps the pipe open and ignores SIGTERM": good(STUBBORN_CHILD, RESULT),
    "a grandchild in another session keeps the pipe open": good(ESCAPED_CHILD, RESULT, escapes=True),
    "records its environment": good('cat /proc/$$/environ >"$record.environment"', RESULT),
}

FAILED: Mapping[str, Behaviour] = {
    "licence never accepted": bad("exit", "--accept-license", 1, say(texts.LICENCE, to=2)),
    "error object on stdout": bad("exit", "Cannot open socket", 2, ERROR_OBJECT),
    "upload failed": bad("exit", "Cannot write:", 2, say('{"error":"Cannot write: "}\n')),
    "error object beside an unrelated line on stderr": bad(
        "exit",
        "Cannot open socket",
        2,
        say("[2024-03-09 15:25:12.194] [info] no interface given\n", to=2),
        ERROR_OBJECT,
    ),
    "log record on stderr": bad("exit", "No servers defined", 2, say(texts.NO_SERVERS, to=2)),
    "many log records on stderr": bad(
        "exit", "Host is unreachable", 2, say(texts.NO_SOCKET * 10 + texts.NO_ROUTE, to=2)
    ),
    "plain error lines and a log record": bad(
        "exit", "Could not retrieve or read", 2, say(texts.CONFIGURATION + texts.UNRETRIEVED, to=2)
    ),
    "plain error lines only": bad("exit", "Could not retrieve or read", 2, say(texts.CONFIGURATION, to=2)),
    "an error of 2,000 characters": bad("exit", "Cannot open", 2, say(texts.log("Cannot open " * 170), to=2)),
    "an error that is not utf-8": bad("exit", "Cannot open", 2, say(b"[error] Cannot open \xe9t\xe9\n", to=2)),
    "exit code without a word": bad("exit", "", 3),
    "exit code after a good result": bad("exit", "", 2, RESULT),
    "too many requests": bad("rate-limited", "Too many requests", 173, say(texts.LIMIT, to=2)),
    "SIGABRT": bad("signal", "terminate called", -6, say(texts.NO_HOME, to=2)),
    "SIGSEGV": bad("signal", "", -11),
    "SIGKILL": bad("signal", "", -9),
    "SIGKILL after a good result": bad("signal", "", -9, RESULT),
    "nothing": bad("no-output", "", 0),
    "blank lines": bad("no-output", "", 0, say("\n  \n\n")),
    "usage of speedtest-cli": bad("no-output", "unrecognized arguments", 0, say(texts.USAGE_OF_SPEEDTEST_CLI, to=2)),
    "error object with exit code 0": bad("malformed", "Cannot open socket", 0, ERROR_OBJECT),
    "log records instead of a result": bad(
        "malformed", "Host is unreachable", 0, say(texts.NO_SOCKET + texts.NO_ROUTE)
    ),
    "words instead of json": bad("malformed", "", 0, say("   Download:   290.00 Mbps\n")),
    "a result cut off": bad("malformed", "", 0, say(V1_2_0[:400])),
    "a list": bad("malformed", "", 0, say(f"[{V1_2_0}]\n")),
    "a number": bad("malformed", "", 0, say("42\n")),
    "a raw nul": bad("malformed", "", 0, say(V1_2_0.replace("Fibre", "F\0bre") + "\n")),
    "text for bandwidth": malformed("bandwidth", (DOWNLOAD, '"bandwidth":"fast"')),
    "null for bandwidth": malformed("bandwidth", (DOWNLOAD, '"bandwidth":null')),
    "a list for the download": malformed("download", ('"download":{', '"download":[],"was":{')),
    "no download": malformed("download", ('"download":{', '"was":{')),
    "no timestamp": malformed("timestamp", ('"timestamp":"2024-03-09T14:25:36Z",', "")),
    "no date for timestamp": malformed("timestamp", ("2024-03-09T14:25:36Z", "yesterday")),
    "NaN for latency": partly("latency_ms", (LATENCY, '"latency":NaN')),
    "NaN for bandwidth": malformed("bandwidth", (DOWNLOAD, '"bandwidth":NaN')),
    "a packet loss of -1": partly("packet_loss_percent", (LOSS, '"packetLoss":-1')),
    "a packet loss of 179.65": partly("packet_loss_percent", (LOSS, '"packetLoss":179.65')),
    "a packet loss that is not available": partly("packet_loss_percent", (LOSS, '"packetLoss":"N/A"')),
    "a packet loss as text": partly("packet_loss_percent", (LOSS, '"packetLoss":"0.5"')),
    "a jitter of a week": partly("jitter_ms", ('"jitter":2.550', '"jitter":6.11273e+08')),
    "a loaded latency below zero": partly("download_latency_ms", ('"iqm":24.660', '"iqm":-1')),
    "no number for the bytes": partly("data_bytes", ('"bytes":329104512', '"bytes":"many"')),
    "1e400 for bandwidth": malformed("", (DOWNLOAD, '"bandwidth":1e400')),
    "100,000 nested lists": malformed("", ('"isp":', f'"nested":{NESTED},"isp":')),
    "100,000 nested lists alone": bad("malformed", "", 0, say(NESTED + "\n")),
    "a result of 1.02 MB": malformed("more than", ("Example Fibre", "Fibre " * 170_000)),
    "3 MB on stdout before the result": bad("malformed", "", 0, f"{NOISE} | head -c 3000000; printf '\\n'", RESULT),
    "no download speed": rejected("download", (DOWNLOAD, '"bandwidth":0')),
    "a terabyte a second": rejected("a download speed of 8e+06 Mbit/s", (DOWNLOAD, '"bandwidth":1e12')),
    "no upload speed": rejected("upload", (UPLOAD, '"bandwidth":0')),
    "a download speed below zero": rejected("download", (DOWNLOAD, '"bandwidth":-36250000')),
    "a latency of half an hour": rejected("latency", (LATENCY, '"latency":1800000.0')),
}

ENDLESS: Mapping[str, Behaviour] = {
    "hangs": hang(SLEEP),
    "hangs and ignores SIGTERM": hang("trap '' TERM", SLEEP),
    "hangs after a good result": hang(RESULT, SLEEP),
    "hangs after half a result": hang(say(V1_2_0[:400]), SLEEP),
    "hangs with a grandchild that ignores SIGTERM": hang(STUBBORN_CHILD, SLEEP),
    "prints a good result when told to stop": hang(
        f"stop() {{ {RESULT}; exit 0; }}", "trap stop TERM", f'sleep {FOREVER} & note "$!"', "wait"
    ),
    "closes its stdout and hangs": hang(f"exec sleep {FOREVER} >&-"),
    "closes its streams after a good result and hangs": hang(RESULT, f"exec sleep {FOREVER} >&- 2>&-"),
    "endless stdout": hang(f"exec {NOISE}"),
    "endless stderr": hang(f"exec {NOISE} >&2"),
    "endless stdout in one line": hang("exec cat /dev/zero"),
    "endless drips": hang("while :; do printf .; sleep 0.1; done"),
}

BEHAVIOURS: Mapping[str, Behaviour] = {**GOOD, **FAILED, **ENDLESS}
