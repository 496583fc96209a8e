"""`python -m preflight DIR…`."""

from __future__ import annotations

import sys

from preflight.cli import main

sys.exit(main(sys.argv[1:]))
