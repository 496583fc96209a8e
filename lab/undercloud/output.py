"""Tables as the openstack client prints them: -f table | json | value | yaml | csv, -c COLUMN."""

from __future__ import annotations

import json
from typing import Any

import yaml

Row = dict[str, Any]


def show_list(columns: list[str], rows: list[Row], form: str = "table", only: list[str] | None = None) -> None:
    """Print rows of a listing."""
    columns = [column for column in columns if not only or column in only]
    if form == "json":
        print(json.dumps([{column: row.get(column) for column in columns} for row in rows], indent=2))
    elif form == "yaml":
        print(yaml.safe_dump([{column: row.get(column) for column in columns} for row in rows]), end="")
    elif form == "value":
        for row in rows:
            print(" ".join(str(row.get(column)) for column in columns))
    elif form == "csv":
        print(",".join(f'"{column}"' for column in columns))
        for row in rows:
            print(",".join(f'"{row.get(column)}"' for column in columns))
    else:
        _table(columns, [[str(row.get(column)) for column in columns] for row in rows])


def show_one(row: Row, form: str = "table", only: list[str] | None = None) -> None:
    """Print one thing field by field."""
    row = {key: value for key, value in row.items() if not only or key in only}
    if form == "json":
        print(json.dumps(row, indent=2))
    elif form == "value":
        for value in row.values():
            print(value)
    elif form == "yaml":
        print(yaml.safe_dump(row), end="")
    else:
        _table(["Field", "Value"], [[key, str(value)] for key, value in row.items()])


def _table(columns: list[str], rows: list[list[str]]) -> None:
    if not rows:
        print()
        return
    widths = [max(len(line[index]) for line in [columns, *rows]) for index in range(len(columns))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    print(rule)
    for number, line in enumerate([columns, *rows]):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print(rule)
    print(rule)
