"""The program `speedsnake` with all its commands. Each also runs as `python -m speedtest.handlers.NAME`.

A command imports its heavy modules only when it runs, so that help and completion are fast.
"""

import importlib.metadata
import os
import sys
from typing import Annotated, NoReturn

import typer

from speedtest.handlers.campaign import campaign
from speedtest.handlers.check import check
from speedtest.handlers.contract import contract
from speedtest.handlers.demo import demo
from speedtest.handlers.export import export
from speedtest.handlers.once import once
from speedtest.handlers.report import report
from speedtest.handlers.serve_test import serve_test
from speedtest.handlers.status import status
from speedtest.handlers.verdict import verdict
from speedtest.handlers.watch import watch
from speedtest.terminal import command, console, startup

app = typer.Typer(
    name="speedsnake",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=command.HELP_OPTIONS,
)


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"speedsnake {importlib.metadata.version('speedsnake')}")
        raise typer.Exit


@app.callback()
def speedsnake(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Measure your internet line for years, and see whether you get what you pay for.

    Environment variables configure SpeedSnake. `speedsnake check` prints them all.
    """


def loop() -> None:
    """Run the daemon until you stop it.

    Makes a test every SLEEP_SECONDS, and converts complete days to Parquet in the background.

    Exit codes: 0 stopped by a signal, 69 no speed-test program found, 75 another daemon uses RESULT_DIR, 78 wrong
    configuration or a folder cannot be written.
    """
    _become("speedtest.handlers.loop")


def convert() -> None:
    """Convert complete days to Parquet now.

    You rarely need this: the daemon does it after each test.

    Exit codes: 0 done, 1 a day could not be converted, 75 another conversion is running, 78 wrong configuration or a
    folder cannot be written.
    """
    if not console.watched():
        _become("speedtest.handlers.convert")
    from speedtest.handlers import convert as handler  # noqa: PLC0415 (see above)
    from speedtest.terminal import conversion_bar  # noqa: PLC0415 (see above)

    settings = startup.settings()
    with conversion_bar.bar(settings.result_dir) as begun:
        handler.run(settings, _quieter(settings.log_level), begun)


def deliver() -> None:
    """Deliver the files of the lake to DELIVER_TO now.

    You rarely need this: the daemon does it after each conversion.

    Exit codes: 0 done, 1 files still wait, 75 another delivery is running, 78 wrong configuration, or the store refuses
    these settings.
    """
    _become("speedtest.handlers.deliver")


def publish(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="RECEIVER", help="mqtt, influx or webhook; all that are set if none.")
    ] = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="Ask each whether it would take rows; send none.")] = False,
) -> None:
    """Send rows to the receivers that are set, now.

    You rarely need this: the daemon does it after each test. MQTT_URL, INFLUX_URL and WEBHOOK_URL set the receivers.

    Exit codes: 0 all is sent, 1 a receiver took nothing and the rows wait, 75 another process sends to it, 78 wrong
    configuration or no receiver is set.
    """
    _become("speedtest.handlers.publish", *(["--test"] if test else []), *(names or []))


def page(
    *,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address, instead of PAGE_HOST.")] = None,
    port: Annotated[str | None, typer.Option(help="The port, instead of PAGE_PORT; 0: any free port.")] = None,
) -> None:
    """Serve a live report over HTTP.

    Open http://127.0.0.1:8600 in a browser; --host and --port change the address. JSON is at /api/…, and metrics for
    Prometheus are at /metrics.

    Exit codes: 0 stopped by a signal, 75 the address and port are in use, 78 wrong configuration or no such address
    on this machine.
    """
    given = {"--host": host, "--port": port}
    _become("speedtest.handlers.page", *(f"{name}={value}" for name, value in given.items() if value))


def _become(module: str, *more: str) -> NoReturn:
    """Replace this process with a handler, so that none of its modules stay in memory."""
    arguments = [sys.executable, "-m", module, *more]
    os.execv(sys.executable, arguments)  # noqa: S606 (it is this very Python)


def _quieter(level: str) -> str:
    """Return the log level while a bar is shown: the bar already says what INFO would log for each day."""
    return "WARNING" if level == "INFO" else level


command.add(app, loop, "SLEEP_SECONDS=600 speedsnake loop")
command.add(app, once, "speedsnake once", "speedsnake once --json | jq .download_mbps")
command.add(app, watch, "speedsnake watch", "speedsnake watch --seconds 60 --json | jq .latency_ms")
command.add(app, status, "speedsnake status", "speedsnake status --json | jq .lines[].uptime_percent")
command.add(app, report, "speedsnake report --since 30d", "PLAN_DOWNLOAD_MBPS=250 speedsnake report -o report.html")
command.add(app, contract, "CONTRACT_FILE=contract.toml speedsnake contract init", "speedsnake contract show")
command.add(
    app,
    verdict,
    "speedsnake verdict --list",
    "CONTRACT_FILE=contract.toml speedsnake verdict --profile de-bnetza --json | jq .overall",
)
command.add(app, export, "speedsnake export --since 30d -o month.csv", "speedsnake export --format json | jq length")
command.add(app, campaign, "speedsnake campaign --profile de-bnetza --start 2026-03-02", "speedsnake campaign status")
command.add(app, convert, "speedsnake convert")
command.add(app, deliver, "DELIVER_TO=s3://my-bucket/uploads speedsnake deliver")
command.add(app, check, "speedsnake check", "speedsnake check --json | jq .programs")
command.add(app, page, "speedsnake page", "PAGE_PASSWORD_FILE=secret speedsnake page --host 0.0.0.0 --port 8600")
command.add(app, publish, "speedsnake publish", "speedsnake publish --test influx")
command.add(app, serve_test, "speedsnake serve-test", "speedsnake serve-test --host 192.0.2.7 --port 8601")
command.add(app, demo, "speedsnake demo", "speedsnake demo --folder /tmp/demo --no-page")


def main() -> NoReturn:
    """Run the command that the arguments name."""
    command.end_with(app)
