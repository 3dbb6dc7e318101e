"""Bits that flip: on disk between writing and publishing, and in memory before writing."""

import os
import random
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pyarrow as pa

from speedtest.data import conversion, files
from tests.faults import child, judge, mutants
from tests.faults.family import Ask, Family, Form, Found, Job, prepared, workshop
from tests.faults.judge import Verdict, expected
from tests.faults.patch import get, put
from tests.faults.scenarios import SCENARIOS, UPLOADS, run_conversion

SCENARIO = "first conversion"


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    del ask
    for seed in range(form.count(10, 2)):
        yield partial(_on_disk, seed, form.count(100, 25), form.mutant)
        yield partial(_in_memory, seed, form.count(30, 5), form.mutant)


def _on_disk(seed: int, count: int, mutant: str | None) -> Found:
    with workshop() as folder:
        return child.call(_flip_on_disk, prepared(folder, SCENARIO), seed, count, mutant)


def _flip_on_disk(tree: Path, seed: int, count: int, mutant: str | None) -> Found:
    """Flip one bit in the temporary file of each conversion: nothing may be published, nothing deleted."""
    if mutant:
        mutants.apply(mutant)
    chance, fill, found = random.Random(seed), get(files, "_fill"), Found()

    def fill_and_flip(descriptor: int, data: bytes) -> None:
        fill(descriptor, data)
        at = chance.randrange(len(data))
        os.pwrite(descriptor, bytes([data[at] ^ 1 << chance.randrange(8)]), at)

    before = _names(tree)
    for number in range(count):
        put(files, "_fill", lambda _: fill_and_flip)
        verdict = Verdict()
        try:
            run_conversion(tree)
            verdict.other.append("the conversion said that all was well")
        except SystemExit:
            pass
        put(files, "_fill", lambda _: fill)
        published = sorted(path.name for path in (tree / UPLOADS).rglob("*.parquet"))
        if published or _names(tree) - before or before - _names(tree):
            verdict.partial.add(f"{published} were published, {sorted(before - _names(tree))} are gone")
        found.take(f"bit flip {number} of seed {seed} on disk", verdict)
        if verdict.partial:
            return found
    found.take("a good conversion after them", judge.aftermath(tree, expected(SCENARIOS[SCENARIO])))
    found.cases -= 1
    return found


def _names(tree: Path) -> set[str]:
    return {str(path) for path in tree.rglob("*.csv")}


def _in_memory(seed: int, count: int, mutant: str | None) -> Found:
    """Flip one bit before the bytes are written: they must be refused, or no value may differ."""
    found, chance = Found(), random.Random(seed)
    with workshop() as folder:
        for number in range(count):
            tree = prepared(folder, SCENARIO)
            verdict = child.call(_flip_in_memory, tree, chance.random(), mutant)
            found.take(f"bit flip {number} of seed {seed} in memory", verdict)
    return found


def _flip_in_memory(tree: Path, where: float, mutant: str | None) -> Verdict:
    if mutant:
        mutants.apply(mutant)
    encode = conversion.encode

    def encode_and_flip(table: pa.Table) -> pa.Buffer:
        data = bytearray(encode(table))
        data[int(where * len(data))] ^= 1 << int(where * 1e9) % 8
        return pa.py_buffer(bytes(data))

    conversion.encode = encode_and_flip
    try:
        run_conversion(tree)
    except SystemExit:
        pass
    finally:
        conversion.encode = encode
    return judge.aftermath(tree, expected(SCENARIOS[SCENARIO]))


FAMILY = Family(name="bit flips", jobs=_jobs, least=1000, least_short=50)
