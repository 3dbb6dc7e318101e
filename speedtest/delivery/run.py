"""Deliver all files that wait, several at once, until none is left or the store refuses."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from speedtest.data.delivery_note import Obstacle
from speedtest.delivery.backlog import LocalFile
from speedtest.delivery.protocol import deliver
from speedtest.delivery.refusals import StoreRefused
from speedtest.delivery.stores import Store
from speedtest.logging import Events

events = Events(__name__)

AT_ONCE = 12
"""How many days are delivered at the same time."""
MOST_FAILURES = 5
"""After so many failures that may pass by themselves, the rest waits for the next delivery."""

_WORST: tuple[Obstacle, ...] = ("settings", "damaged", "temporary")


class Outcome(msgspec.Struct):
    """What a delivery did: how many files it delivered, and what kept others here."""

    delivered: int = 0
    refused: dict[str, StoreRefused] = {}
    """One refusal of each code."""
    failures: int = 0

    @property
    def worst(self) -> StoreRefused | None:
        """The refusal that a person should see first."""
        return min(self.refused.values(), key=lambda each: _WORST.index(each.trouble), default=None)


def deliver_all(batches: Sequence[Sequence[LocalFile]], store: Store, url: str, result_dir: Path) -> Outcome:
    """Deliver these files, those of one batch in their order. Failures are counted and told once for each code."""
    run = _Run(store, url, result_dir)
    if batches:
        with ThreadPoolExecutor(min(AT_ONCE, len(batches)), "deliver") as workers:
            list(workers.map(run.batch, batches))
    return run.outcome


class _Run:
    """The state that the workers share."""

    def __init__(self, store: Store, url: str, result_dir: Path) -> None:
        self._store = store
        self._url = url
        self._result_dir = result_dir
        self._lock = threading.Lock()
        self._is_over = False
        self.outcome = Outcome()

    def batch(self, files: Sequence[LocalFile]) -> None:
        """Deliver the files of one day and location. The first that fails keeps the later ones here too."""
        for file in files:
            if self._is_over:
                return
            try:
                delivered = deliver(file, self._store, self._url, self._result_dir)
            except StoreRefused as refused:
                self._refused(file, refused)
                return
            except OSError as error:
                self._failed(file, error)
                return
            except Exception:  # noqa: BLE001 (a bug in one file must not stop the others; the log has the traceback)
                events.bug("could not deliver %s because of an unexpected error; please report it", file.path)
                self._is_over = True
                return
            with self._lock:
                self.outcome.delivered += 1
            events.info("delivered", "delivered %s as %s", file.day, delivered.key, path=str(file.path))

    def _refused(self, file: LocalFile, refused: StoreRefused) -> None:
        with self._lock:
            is_new = refused.code not in self.outcome.refused or refused.trouble == "damaged"
            self.outcome.refused.setdefault(refused.code, refused)
            self.outcome.failures += refused.trouble != "damaged"
            self._is_over |= refused.trouble == "settings" or self.outcome.failures >= MOST_FAILURES
        if is_new:
            events.error("delivery_failed", "could not deliver %s: %s", file.key(file.number), refused)

    def _failed(self, file: LocalFile, error: OSError) -> None:
        """Note that a disk of this machine refused. Nothing else is tried now."""
        self._is_over = True
        events.error(
            "delivery_failed", "could not read %s or save its receipt: %s; the next delivery retries", file.path, error
        )
