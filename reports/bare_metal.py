"""The bare-metal side of a ratio is read from the records of a run on machines of kind host."""

from __future__ import annotations

from pathlib import Path

from access.errors import InputError
from cloud_file.work_folder import runs_folder
from judging.bare_metal import BareMetal
from probes.references import model_named
from reports.run import Run, read


def load(named: str | None) -> BareMetal:
    """What a cloud file's `bare_metal` names: a run's directory or records, its id, or its cloud's name.

    Raises:
        InputError: there is no such run, or it cannot be read.
    """
    return BareMetal() if named is None else of_run(read(_path(named)))


def of_run(run: Run) -> BareMetal:
    """Figures of one run, of cards whose model is known."""
    models = {
        (facts.host, card.index): found.model
        for facts in run.hosts
        for card in facts.cards
        if (found := model_named(card.name)) is not None
    }
    values: dict[tuple[str, str], tuple[float, ...]] = {}
    for check in run.checks:
        for item in check.measurements:
            model = models.get((item.host, item.device.split("-")[0]))
            if model is not None:
                key = (item.metric, model)
                values[key] = (*values.get(key, ()), item.value)
    return BareMetal(values)


def _path(named: str) -> Path:
    given, runs = Path(named).expanduser(), runs_folder()
    candidates = [given, runs / named / "latest", *runs.glob(f"*/reports/{named}")] if named else []
    for path in candidates:
        if (path / "records.jsonl").is_file() or path.is_file():
            return path
    raise InputError(
        f"bare_metal: there is no run {named}",
        remedy="name a run's directory, its id, or a cloud of kind host that was run: pytest suites/ --cloud NAME",
    )
