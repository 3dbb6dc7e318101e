"""The watch as a real daemon over real faults: each once, in network namespaces, all at the same time.

`./bootstrap.sh bench watch` does the same ten times each, with the daemon's own times, and prints a table.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import home
import pytest
from line_faults import FAULTS, SHORT, Fault, Outcome, folder_for_all, outcome

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not home.is_possible(), reason="needs root and network namespaces (Linux)"),
]

SLACK = 0.5
"""Seconds that a shared machine may be late."""


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Mapping[str, Future[Outcome]]]:
    """Do all faults at once: the daemons sleep most of the time."""
    with folder_for_all() as folder, ThreadPoolExecutor(len(FAULTS)) as pool:
        yield {fault.name: pool.submit(outcome, fault, folder / fault.name, SHORT, SLACK) for fault in FAULTS}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_a_fault_did_to_the_line_is_what_the_rows_tell(
    fault: Fault, outcomes: Mapping[str, Future[Outcome]]
) -> None:
    made = outcomes[fault.name].result()
    assert made.wrong == [], made.log
