"""The installed acceptance is made once."""

from __future__ import annotations

from installed import installed

__all__ = ["installed"]
