"""What can go wrong in the lab itself. Never says anything about an acceptance."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what it was asked; the message says what to do."""


class ServiceEnded(LabError):
    """A service ended at its start, and is not tried again; the message has its log."""
