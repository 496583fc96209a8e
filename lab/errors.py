"""What can go wrong in the lab itself. Never says anything about an acceptance."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what it was asked; the message says what to do."""
