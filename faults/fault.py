"""One fault file: what is broken where, and what the acceptance must report. docs/faults.md describes the format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

CATALOGUE = Path(__file__).parent / "catalogue"
VARIANTS = Path(__file__).parent / "variants"
STEPS = {
    "run": {"run", "host", "save"},
    "hardware": {"hardware", "host"},
    "restart": {"restart", "ends"},
    "reboot": {"reboot"},
    "instance": {"instance", "action"},
    "cloud": {"cloud"},
    "nova": {"nova"},
    "files": {"files", "release"},
}
"""Each step by its word, with the keys that may stand beside it."""
ACTIONS = (
    *("stop", "start", "reboot --hard", "delete", "pause", "unpause", "suspend", "resume", "shelve", "unshelve"),
    *("rescue", "unrescue", "lock", "unlock", "set --state error", "set --state active"),
)
"""What `openstack server` does to an instance; the step waits for its end, whatever it is."""
TEXTS = ("id", "title", "symptom", "remedy")
LISTS = ("sources", "rows", "inject", "expect", "allow", "accept", "mend")
KEYS = {*TEXTS, *LISTS, "variant", "provision", "healthy"}
REFUSED = "refused"
"""The acceptance does not start: the input cannot be used."""
VERDICTS = ("failed", "error", "not verified", "blocked", REFUSED)
EXPECTED_KEYS = {"check", "cause", "place", "verdict"}


@dataclass(frozen=True)
class Expected:
    """A check that must not pass: with which cause, or, where nothing can be judged, with which other verdict."""

    check: str
    cause: str = ""
    place: str | None = None
    """None: at any place."""
    verdict: str = "failed"


@dataclass(frozen=True)
class Fault:
    """A fault as its file has it."""

    id: str
    title: str
    symptom: str
    """What people see and type into a search engine."""
    inject: tuple[dict[str, Any], ...]
    expect: tuple[Expected, ...]
    """Empty for a healthy variant: nothing may fail."""
    remedy: str = ""
    """What fixes it on a real cloud; "" if the fix of its cause says it all."""
    sources: tuple[str, ...] = ()
    """Where it was met on real clouds."""
    rows: tuple[str, ...] = ()
    """Its numbers in the catalogue of faults, e.g. H04."""
    allow: tuple[str, ...] = ()
    """Checks that fail as well, by nature of the fault."""
    accept: tuple[str, ...] = ("suites/",)
    """What pytest is given: paths and options."""
    mend: tuple[dict[str, Any], ...] = ()
    """Steps after which the lab is healthy again; what `save` names comes back by itself."""
    variant: str | None = None
    """Another lab than the default one: a file in faults/variants."""
    provision: bool = False
    """Whether what is missing is provisioned after the injection; otherwise the acceptance only looks."""

    @property
    def is_static(self) -> bool:
        """Whether it is found in files alone, before any deploy."""
        return any("files" in step for step in self.inject)

    @property
    def is_untouched(self) -> bool:
        """Whether it is a healthy lab as it comes, which its first acceptance judges."""
        return not self.inject and not self.expect and self.accept == ("suites/",)

    @property
    def provisions(self) -> bool:
        """Whether the cloud must be provisioned again, before and after."""
        return self.provision or any("cloud" in step for step in self.inject)

    @property
    def is_provisioned_after(self) -> bool:
        """Whether the cloud must be provisioned again when the fault is undone: it took something away."""
        return self.provisions or any("cloud" in step for step in self.mend)


def load(path: Path) -> Fault:
    """Read a fault file.

    Raises:
        LabError: the file is not a fault file; names every mistake.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LabError(f"{path}: {error}") from error
    problems = list(_problems(data))
    if problems:
        raise LabError(f"{path}: " + "; ".join(problems))
    return Fault(
        id=str(data["id"]),
        title=str(data["title"]),
        symptom=str(data["symptom"]).strip(),
        remedy=str(data.get("remedy") or "").strip(),
        sources=tuple(data.get("sources") or ()),
        rows=tuple(data.get("rows") or ()),
        allow=tuple(data.get("allow") or ()),
        accept=tuple(data.get("accept") or ("suites/",)),
        mend=tuple(data.get("mend") or ()),
        inject=tuple(data.get("inject") or ()),
        expect=tuple(Expected(**item) for item in data.get("expect") or ()),
        variant=data.get("variant"),
        provision=bool(data.get("provision")),
    )


def _problems(data: Any) -> Iterator[str]:
    if not isinstance(data, dict):
        yield "not a mapping"
        return
    yield from (f"{key} is missing" for key in ("id", "title", "symptom") if not data.get(key))
    yield from (f"no such key: {key}" for key in data if key not in KEYS)
    yield from (f"{key} is a list" for key in LISTS if not isinstance(data.get(key) or [], list))
    if bool(data.get("expect")) == bool(data.get("healthy")):
        yield "either expect, or healthy: true"
    if not any(data.get(key) for key in ("inject", "variant", "accept")):
        yield "inject is missing"
    variant = data.get("variant")
    if variant is not None and not (VARIANTS / f"{variant}.yaml").is_file():
        yield f"no variant {variant}; there are {', '.join(sorted(file.stem for file in VARIANTS.glob('*.yaml')))}"
    for step in (*(data.get("inject") or ()), *(data.get("mend") or ())):
        yield from _step_problems(step)
    for item in data.get("expect") or ():
        yield from _expected_problems(item)


def _step_problems(step: Any) -> Iterator[str]:
    words = [word for word in STEPS if isinstance(step, dict) and word in step]
    if len(words) != 1:
        yield f"a step has exactly one of {', '.join(STEPS)}: {step}"
    elif unknown := set(map(str, step)) - STEPS[words[0]]:
        yield f"a step `{words[0]}` has no {', '.join(sorted(unknown))}"
    elif words[0] == "instance" and step.get("action") not in ACTIONS:
        yield f"an action is one of {', '.join(ACTIONS)}: {step}"
    elif words[0] in ("run", "hardware") and not step.get("host"):
        yield f"a step `{words[0]}` names its host: {step}"


def _expected_problems(item: Any) -> Iterator[str]:
    if not isinstance(item, dict) or "check" not in item or set(item) - EXPECTED_KEYS:
        yield f"expect has check, cause, place, verdict: {item}"
    elif item.get("verdict", "failed") not in VERDICTS:
        yield f"a verdict is one of {', '.join(VERDICTS)}: {item['verdict']}"
    elif item.get("verdict", "failed") == "failed" and not item.get("cause"):
        yield f"a failed check has a cause: {item}"


def catalogue() -> list[Path]:
    """The fault files that come with the lab."""
    return sorted(CATALOGUE.glob("*.yaml"))
