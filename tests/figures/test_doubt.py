"""A single row is doubtful exactly if `figures.quality` marks it."""

import pandas as pd
from hypothesis import given, strategies as st

from speedtest.figures.doubt import is_doubtful
from speedtest.figures.quality import marks

ROWS = st.fixed_dictionaries(
    {
        "link": st.sampled_from([None, "ethernet", "wifi", "tunnel", "virtual"]),
        "link_mbps": st.sampled_from([None, 100.0, 250.0, 1000.0]),
        "interface_isVpn": st.sampled_from([None, True, False]),
        "other_bytes": st.sampled_from([None, 0, 9_999_999, 10_000_000, 10**9]),
        "data_bytes": st.sampled_from([None, 0, 100_000_000]),
        "cpu_percent": st.sampled_from([None, 85.0, 85.1]),
        "download_mbps": st.sampled_from([None, 90.0, 110.1, 300.0]),
        "upload_mbps": st.sampled_from([None, 40.0, 280.0]),
        "isp": st.sampled_from([None, "Example Telekom AG", "Mobile Ltd"]),
        "server_d": st.sampled_from([None, 500.0, 500.1]),
    }
)


@given(row=ROWS, plan=st.sampled_from([None, 250.0]), expected=st.sampled_from([(), ("telekom",), ("a", "mobile")]))
def test_one_row_is_doubtful_as_the_views_mark_it(
    row: dict[str, object], plan: float | None, expected: tuple[str, ...]
) -> None:
    frame = pd.DataFrame([row | {"vpn": row["interface_isVpn"]}])
    assert is_doubtful(row, plan, expected) == bool(marks(frame, plan, expected).any(axis=1).iloc[0])
