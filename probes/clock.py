"""What time it is on a host."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from access.errors import ParseError
from access.host import Host, output_of

SECONDS = re.compile(r"[0-9]{1,12}")


def parse(text: str) -> datetime:
    """Read `date +%s`.

    Raises:
        ParseError: no seconds since the epoch.
    """
    if not SECONDS.fullmatch(text.strip()):
        raise ParseError("date", "not seconds since the epoch", line=text[:200])
    return datetime.fromtimestamp(int(text), UTC)


def read(host: Host) -> datetime:
    """The time of `host`."""
    return parse(output_of(host, "date +%s").stdout)
