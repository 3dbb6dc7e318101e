"""The short form of `./bootstrap.sh bench alerts`: the child is killed at some of the steps of an event's life."""

import os

import pytest

from tests.benchmarks import alerts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the child is a fork"),
]
STRIDE = 11


def test_whatever_step_a_kill_falls_on_each_event_is_told_and_twice_only_before_its_note() -> None:
    alerts.load()
    tally, kills = alerts.life(STRIDE, twice=False)
    assert kills > 5
    assert (tally.missing, tally.invented, tally.disordered, tally.twice_without_kill) == (0, 0, 0, 0)
    assert tally.got == tally.due > 0
