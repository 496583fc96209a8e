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
Positive = Annotated[int, Field(gt=0, lt=2**31, strict=True)]
"""Strict: `true` is no number. Nova keeps its counts in 32 bits."""

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1000)]
"""Text that is handed to an API: one line, not empty."""
Listed = Annotated[str, StringConstraints(pattern=r"^[^,\x00-\x1f\x7f]+$", max_length=255)]
"""The same, where it becomes one of a comma-separated list."""
KeystoneName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f/]+$", max_length=60)]
"""Of a project or user; Keystone may be told to refuse what a URL cannot hold."""

# What a shell on another machine reads, partly as root. It is quoted there, too; the patterns refuse what nobody means.
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9@/][A-Za-z0-9@/._+:~^=*%-]*$", max_length=255)]
"""Of yum or apt, with version, group, file or URL; no option."""
RepositoryId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9*][A-Za-z0-9._:/*-]*$", max_length=255)]
UnixUser = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=32)]
RemotePath = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_./][^\x00-\x1f\x7f'\"`$\\;&|<>~*?]*$", max_length=1000)
]
Url = Annotated[
    str, StringConstraints(pattern=r"^(?:(?:https?|ftp|file)://|/)[A-Za-z0-9._~:/?#\[\]@!&*+,;=%-]+$", max_length=1000)
]
"""Also an absolute path, as rpm and dpkg take one."""
KernelArguments = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.,:=/+@%!-]*(?: +[A-Za-z0-9_][A-Za-z0-9_.,:=/+@%!-]*)*$")
]
"""Boot loaders' files are read by a shell: no quotes, no `$`."""
FilterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$", max_length=255)]


class SecretReference(Section):
    """Where a secret stands: an environment variable or a file that only its owner reads."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
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
