"""Numbers that are kept in 4 bytes come back as they were, to the last bit."""

import numpy as np
from hypothesis import given, strategies as st

from speedtest.figures.coded import Numbers

PRINTED = st.one_of(
    st.integers(0, 10**7).map(lambda thousandths: float(f"{thousandths // 1000}.{thousandths % 1000:03}")),
    st.integers(0, 4 * 10**9).map(lambda bytes_: bytes_ * 8 / 1e6),
    st.just(float("nan")),
)
ANY = st.floats(allow_infinity=False)


def kept(chunks: list[list[float]]) -> Numbers:
    numbers = Numbers()
    for chunk in chunks:
        numbers.extend(np.array(chunk, float))
    return numbers


@given(st.lists(st.lists(st.one_of(PRINTED, ANY), max_size=6), max_size=4))
def test_every_number_comes_back(chunks: list[list[float]]) -> None:
    given_, found = [number for chunk in chunks for number in chunk], kept(chunks)
    np.testing.assert_array_equal(found.at(slice(None)), np.array(given_, float))
    np.testing.assert_array_equal(found.at(np.arange(len(given_))[::-1]), np.array(given_[::-1], float))


@given(st.lists(st.lists(PRINTED, max_size=6), max_size=4))
def test_numbers_as_programs_print_them_take_four_bytes(chunks: list[list[float]]) -> None:
    assert kept(chunks)._exact is None  # noqa: SLF001 (the memory is what is promised)
