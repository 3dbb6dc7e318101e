"""`speedsnake`: every command in one. Each is a handler that runs by `python -m speedtest.handlers.NAME` as well.

What a command needs beyond typing its arguments it imports when it is called, so that help and completion come at once.
"""

import importlib.metadata
import os
import sys
from typing import Annotated, NoReturn

import typer

from speedtest.handlers.check import check
from speedtest.handlers.demo import demo
from speedtest.handlers.export import export
from speedtest.handlers.once import once
from speedtest.handlers.report import report
from speedtest.handlers.status import status
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
    """Is this line delivering what is paid for? SpeedSnake measures it for years and shows what it found.

    What is measured and where it is kept is set by environment variables: `speedsnake check` prints them all.
    """


def loop() -> None:
    """Run the daemon, until it is stopped.

    A test every SLEEP_SECONDS; complete days become Parquet beside it.

    Exit codes: 0 stopped by a signal, 69 no program found, 75 another daemon holds RESULT_DIR, 78 configuration.
    """
    _become("speedtest.handlers.loop")


def convert() -> None:
    """Convert complete days to Parquet now.

    The daemon does it by itself after each test.

    Exit codes: 0 done, 1 a day could not be converted, 75 another conversion is running, 78 configuration.
    """
    if not console.watched():
        _become("speedtest.handlers.convert")
    from speedtest.handlers import convert as handler  # noqa: PLC0415 (see above)
    from speedtest.terminal import conversion_bar  # noqa: PLC0415 (see above)

    settings = startup.settings()
    with conversion_bar.bar(settings.result_dir) as begun:
        handler.run(settings, _quieter(settings.log_level), begun)


def page(
    *,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Listen there, instead of at PAGE_HOST.")] = None,
    port: Annotated[str | None, typer.Option(help="Its port, instead of PAGE_PORT; 0 for any that is free.")] = None,
) -> None:
    """Serve the report live, with the state now.

    At http://127.0.0.1:8600 unless told otherwise; with JSON at /api/… and metrics at /metrics.

    Exit codes: 0 stopped by a signal, 75 something else listens there, 78 configuration.
    """
    given = {"--host": host, "--port": port}
    _become("speedtest.handlers.page", *(f"{name}={value}" for name, value in given.items() if value))


def _become(module: str, *more: str) -> NoReturn:
    """Go on as a handler, in this process: nothing of this one is left in memory."""
    arguments = [sys.executable, "-m", module, *more]
    os.execv(sys.executable, arguments)  # noqa: S606 (it is this very Python)


def _quieter(level: str) -> str:
    """Return the level of logs beside a bar, which stands for what INFO says of each day."""
    return "WARNING" if level == "INFO" else level


command.add(app, loop, "SLEEP_SECONDS=600 speedsnake loop")
command.add(app, once, "speedsnake once", "speedsnake once --json | jq .download_mbps")
command.add(app, status, "speedsnake status", "speedsnake status --json | jq .lines[].uptime_percent")
command.add(app, report, "speedsnake report --since 30d", "PLAN_DOWNLOAD_MBPS=250 speedsnake report -o report.html")
command.add(app, export, "speedsnake export --since 30d -o month.csv", "speedsnake export --format json | jq length")
command.add(app, convert, "speedsnake convert")
command.add(app, check, "speedsnake check", "speedsnake check --json | jq .programs")
command.add(app, page, "speedsnake page", "PAGE_PASSWORD_FILE=secret speedsnake page --host 0.0.0.0 --port 8600")
command.add(app, demo, "speedsnake demo", "speedsnake demo --folder /tmp/demo --no-page")


def main() -> NoReturn:
    """Run the command that is asked for."""
    command.end_with(app)
