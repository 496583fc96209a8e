"""What a check of your own needs beside the fixtures (docs/own-checks.md)."""

from __future__ import annotations

from gpu_acceptance.home import open_rooms

open_rooms()

from access.errors import NotVerified, Rejected  # noqa: E402  found by the line above
from access.host import CommandOutput, Host  # noqa: E402
from cloud_file.cloud import Cloud  # noqa: E402
from judging.notes import Notes  # noqa: E402
from judging.records import Measurement  # noqa: E402

__all__ = ["Cloud", "CommandOutput", "Host", "Measurement", "NotVerified", "Notes", "require"]


def require(
    good: object, cause: str, what: str, *, fix: str = "", file: str = "", line_number: int | None = None
) -> None:
    """Reject the cloud unless `good`.

    `cause` is a name of your own that stays the same, for example bmc-firmware-old; `fix` says what to change, and is
    shown with the cause.

    Raises:
        Rejected: `what` was found, to be fixed in `file` of the host where that is known.
    """
    if not good:
        raise Rejected(cause, what, fix=fix, file=file, line_number=line_number)
