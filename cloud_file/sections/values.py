"""Kinds of values that several sections use: names, ids, secrets by reference."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field, StringConstraints

from access.endpoint import ExpandedPath, Section
from access.errors import InputError

HexId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}$")]
"""Four lower-case hex digits. In YAML always quoted: 1528 or 1e30 would become numbers."""
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
Positive = Annotated[int, Field(gt=0)]


class SecretReference(Section):
    """Where a secret stands: an environment variable or a file that only its owner reads."""

    env: str | None = None
    file: ExpandedPath | None = None

    def read(self) -> str:
        """The secret, without the newline at its end.

        Raises:
            InputError: the variable is not set, or the file cannot be read.
        """
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise InputError(f"the environment variable {self.env} is not set", remedy=f"export {self.env}=…")
            return value
        if self.file is None:
            raise InputError("a secret names neither env nor file")
        try:
            return self.file.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise InputError(f"cannot read the secret in {self.file}: {error.strerror}") from error
