"""Kernel arguments outside TripleO: edpm_kernel_args of RHOSO's node sets, /etc/default/grub and its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from preflight.finding import Location
from preflight.yaml_source import Node

COMMAND_LINE = re.compile(r"^[ \t]*GRUB_CMDLINE_LINUX(?:_DEFAULT)?=(?P<quote>[\"']?)(?P<value>.*?)(?P=quote)\s*$", re.M)
KEYS = {"edpm_kernel_args"}


def of_grub(path: Path, text: str) -> list[Node]:
    """Values of GRUB_CMDLINE_LINUX and …_DEFAULT, each with its position."""
    return [_node(path, text, found) for found in COMMAND_LINE.finditer(text)]


def _node(path: Path, text: str, found: re.Match[str]) -> Node:
    start = found.start("value")
    where = Location(path, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
    return Node(path, yaml.ScalarNode("tag:yaml.org,2002:str", found["value"]), where)


def of_document(root: Node) -> Iterator[Node]:
    """Values of the keys by which deployers set kernel arguments."""
    for node in root.walk():
        for key, value in node.items():
            if key.text in KEYS and value.is_scalar:
                yield value
