"""`python -m cloud_file`: check a cloud file, publish what it may have, and have one written."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from access.errors import AcceptanceError
from cloud_file import page
from cloud_file.cloud import Cloud
from cloud_file.loading import file_of, load
from cloud_file.questions import open_questions
from cloud_file.schema import as_text

GOOD, USAGE = 0, 64


def main(arguments: list[str]) -> int:
    """Carry out one command; returns the exit code."""
    if arguments[:1] == ["discover"]:
        # it connects, and this room may not: the room above is started in our place
        sys.argv = ["discover", *arguments[1:]]
        runpy.run_module("discovery", run_name="__main__", alter_sys=True)
    options = _parser().parse_args(arguments)
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloud_file", description="Cloud files: clouds/NAME.yaml.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="every mistake of a file with its line, and its open questions")
    check.add_argument("file", help="a name, as --cloud takes it, or a path")
    check.set_defaults(run=_check)
    commands.add_parser("schema", help="print the JSON schema, for editors").set_defaults(run=_schema)
    commands.add_parser("describe", help="write the keys into docs/cloud-file.md").set_defaults(run=_describe)
    commands.add_parser("discover", help="look at a cloud and write its file", add_help=False)
    return parser


def _check(options: argparse.Namespace) -> int:
    name = options.file
    path = Path(name).resolve() if Path(name).is_file() else None
    try:
        path = path or file_of(name)
        cloud = load(path)
    except AcceptanceError as error:
        print(error, file=sys.stderr)
        for line, question in open_questions(path):
            print(f"  line {line}: still open: {question}", file=sys.stderr)
        return USAGE
    print(f"{name}: no mistakes: {summary(cloud)}")
    for line, question in open_questions(path):
        print(f"  line {line}: still open: {question}")
    return GOOD


def summary(cloud: Cloud) -> str:
    """What a file declares, in a line."""
    cards = sum(host.gpu_count for host in cloud.hosts)
    counted = [(len(cloud.hosts), "host"), (cards, "card"), (len(cloud.guests), "instance")]
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counted)


def _schema(_: argparse.Namespace) -> int:
    print(as_text(), end="")
    return GOOD


def _describe(_: argparse.Namespace) -> int:
    page.write()
    return GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
