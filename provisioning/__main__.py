"""`python -m provisioning preflight DIR…`, the former name of `python -m preflight DIR…`."""

from __future__ import annotations

import sys

from preflight import cli

if sys.argv[1:2] == ["preflight"]:
    sys.exit(cli.main(sys.argv[2:]))
print("usage: python -m preflight DIR…", file=sys.stderr)
sys.exit(64)
