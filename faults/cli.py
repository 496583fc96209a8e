"""`python -m faults [--name LAB] COMMAND`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from faults import describe, fault, score
from faults.metal.runner import run_metal
from faults.run import run
from lab import state
from lab.errors import LabError
from lab.hosts.daemon.client import MachineError
from lab.paths import REPOSITORY, LabPaths
from lab.text import say

FAILED = 1


def main(arguments: list[str]) -> int:
    """Carry out one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (LabError, MachineError) as error:
        say(f"error: {error}", sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description="Does the suite find faults?")
    parser.add_argument("--name", default="default", help="name of the lab that is broken")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    judged = commands.add_parser("run", help="inject faults one by one and judge what the acceptance reports")
    judged.set_defaults(command=_run)
    judged.add_argument("files", nargs="*", type=Path, help="fault files or folders (default: the catalogue)")
    judged.add_argument("--cloud", type=Path, default=REPOSITORY / "clouds" / "lab.yaml", help="the healthy cloud")
    judged.add_argument("--jobs", type=int, default=1, help="how many labs are broken at a time (default 1)")
    judged.add_argument("--json", type=Path, help="write the scores to this file")
    metal = commands.add_parser("metal", help="the same on a host of the metal tier (docs/metal.md)")
    metal.set_defaults(command=_metal)
    metal.add_argument("faults", nargs="*", help="ids of faults/metal/faults.yaml (default: all)")
    metal.add_argument("--name", default="metal", help="name of the lab (python -m lab --name NAME up --tier metal)")
    metal.add_argument("--json", type=Path, help="write the scores to this file")
    described = commands.add_parser("describe", help="write docs/symptoms.md, and docs/score.md from scores")
    described.set_defaults(command=_describe)
    described.add_argument("scores", nargs="?", type=Path, help="what `run --json` wrote")
    described.add_argument("--metal", type=Path, help="what `metal --json` wrote")
    return parser


def _run(options: argparse.Namespace) -> int:
    """0 if each fault is found with its cause and nothing else is blamed."""
    paths = LabPaths.of(options.name)
    paths.home.mkdir(parents=True, exist_ok=True)
    files = [file for path in options.files for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    faults = [fault.load(file) for file in files or fault.catalogue()]
    return _print_all(run(paths, faults, options.cloud, max(1, options.jobs)), options.json)


def _metal(options: argparse.Namespace) -> int:
    """0 if each fault is found with its cause and nothing else is blamed."""
    return _print_all(run_metal(state.load(LabPaths.of(options.name)), options.faults), options.json)


def _print_all(judged: Iterable[score.Score], file: Path | None) -> int:
    scores: list[score.Score] = []
    for item in judged:
        scores.append(item)
        if file:  # a run that is interrupted keeps the scores so far
            text = json.dumps([asdict(scored) for scored in scores], indent=1, ensure_ascii=False)
            state.write_private(file, text)
        _print_one(item)
    say(score.table(scores))
    say(score.summary(scores))
    return 0 if all(item.is_right for item in scores) else FAILED


def _print_one(item: score.Score) -> None:
    say(f"{'ok  ' if item.is_right else 'MISS'} {item.fault}: {item.title}")
    for line in (item.note, *item.extra):
        if line and not item.is_right:
            say(f"       {line}")


def _describe(options: argparse.Namespace) -> int:
    describe.write(options.scores, options.metal)
    return 0
