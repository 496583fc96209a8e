"""Hosts that differ in a number only become one line, and are read as they were."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud_file.ranges import expanded
from discovery.shortening import shortened

CARDS = [{"model": "A", "count": 8}]


def _hosts(pairs: list[tuple[str, str | None]], **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, **({"address": address} if address else {}), **more} for name, address in pairs]


def test_twelve_hosts_become_one_line() -> None:
    """Whatever their addresses are: a last number, across a subnet's end, names."""
    for addresses, written in (
        ([f"192.0.2.{20 + n}" for n in range(1, 13)], "192.0.2.[21:32]"),
        ([f"192.0.{2 + n // 256}.{n % 256}" for n in range(250, 262)], "192.0.2.250-192.0.3.5"),
        ([f"gpu{n:02d}.example.com" for n in range(1, 13)], "gpu[01:12].example.com"),
    ):
        hosts = _hosts(list(zip([f"gpu{n:02d}" for n in range(1, 13)], addresses, strict=True)), gpus=CARDS)

        assert shortened(hosts) == [{"name": "gpu[01:12]", "address": written, "gpus": CARDS}]


def test_hosts_that_differ_stay_apart() -> None:
    """In what they have, in a gap, in an address that does not follow."""
    hosts = [
        *_hosts([("gpu1", "192.0.2.1"), ("gpu2", "192.0.2.2")], gpus=CARDS),
        *_hosts([("gpu3", "192.0.2.3")], gpus=[]),
        *_hosts([("gpu5", "192.0.2.5"), ("gpu6", "192.0.2.66")], gpus=[]),
    ]

    assert [host["name"] for host in shortened(hosts)] == ["gpu[1:2]", "gpu3", "gpu5", "gpu6"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "gpu", "gpu0", "n1-", ""]),
            st.integers(0, 30),
            st.sampled_from(["", ".example.com", "-9"]),
            st.sampled_from(["192.0.2.", "host", None]),
        ),
        max_size=14,
    )
)
def test_what_is_written_short_is_read_as_it_was(rows: list[tuple[str, int, str, str | None]]) -> None:
    """Names and addresses of any shape."""
    pairs = [(f"{start}{n}{end}", f"{address}{n}" if address else None) for start, n, end, address in rows]
    hosts = _hosts(pairs, role="Compute")

    assert expanded({"hosts": shortened(hosts)}).content["hosts"] == hosts
