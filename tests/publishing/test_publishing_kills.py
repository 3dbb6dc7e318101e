"""A short form of `./bootstrap.sh bench publishing`: the child is killed at some of its steps."""

import shutil

import pytest

from tests.benchmarks import publishing


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace (apt-get install strace)")
def test_a_kill_loses_no_row_and_doubles_one_only_between_the_yes_and_the_note() -> None:
    count = publishing.by_webhook(every=25)
    assert count.kills >= 4
    assert publishing.is_good([count])
