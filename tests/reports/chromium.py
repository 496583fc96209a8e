"""Debian's Chromium without a window, and without any traffic of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATH = shutil.which("chromium") or shutil.which("google-chrome") or ""


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser that is closed at the end."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=PATH or None, args=list(ARGUMENTS))
        try:
            yield found
        finally:
            found.close()
