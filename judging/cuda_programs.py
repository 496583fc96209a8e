"""An error of CUDA that a program reports is a finding: the program itself worked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from access.errors import CommandError, CommandTimeout, ToolFailure
from judging.causes import rejected
from probes.cuda_samples import failure_in

OF_CUDA = "cuda-"


@contextmanager
def errors_are_findings(program: str, *, may_take_long: bool = True) -> Iterator[None]:
    """Reject the cloud if CUDA refuses within the block; `program` is how the finding calls what ran there.

    With `may_take_long=False` a program that does not end is one, too.

    Raises:
        Rejected: CUDA returned an error.
        MeasurementError: anything else went wrong: that says nothing about the cloud.
    """
    try:
        yield
    except ToolFailure as failure:
        if not failure.kind.startswith(OF_CUDA):
            raise
        raise _finding(program, failure) from failure
    except CommandTimeout as error:
        if may_take_long:
            raise
        raise rejected("cuda-hangs", f"{program}: {str(error).splitlines()[0]}") from error
    except CommandError as error:
        said = failure_in(error.stdout + error.stderr)
        if said is None or not said.kind.startswith(OF_CUDA):
            raise
        raise _finding(program, said) from error


def _finding(program: str, failure: ToolFailure) -> Exception:
    what = f"{program}: {failure.reason} ({failure.line.strip()[:200]})"
    return rejected(failure.kind, what, remedy=failure.remedy or "see dmesg (NVRM, Xid), and NVIDIA's list of errors")
