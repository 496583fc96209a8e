"""`python -m gpu_acceptance`: the command `gpu-acceptance` in a checkout that is not installed."""

from __future__ import annotations

import sys

from gpu_acceptance.cli import main

sys.exit(main())
