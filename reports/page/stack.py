"""The stack as it was found, from the server's firmware up to CUDA: values, on how many machines, and their checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from judging.layers import layer_of
from judging.outcome import WORST_FIRST
from judging.records import CheckRecord, Verdict
from reports.page.text import natural
from reports.records import HostFacts
from reports.run import Run

STEPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "BIOS",
        (
            ("Server", "{sys_vendor} {product_name}"),
            ("BIOS", "{bios_vendor} {bios_version} {bios_date}"),
        ),
    ),
    ("Kernel", (("System", "{system}"), ("Kernel", "{kernel}"))),
    ("IOMMU", (("Groups", "{iommu_groups}"),)),
    ("Cards", (("GPU links", "{links}"),)),
    ("OpenStack", ()),
    ("Instance", ()),
    ("Driver", (("Driver", "{driver}"), ("GPU", "{card}"), ("VBIOS", "{vbios}"))),
    ("CUDA", (("CUDA", "{cuda}"),)),
)
"""Steps from the bottom up, and what is shown of a machine's facts.

judging/layers.yaml says which checks belong to each.
"""
OTHER = "Run"
MOST_VALUES_SHOWN = 6
MOST_MACHINES_NAMED = 8


@dataclass(frozen=True)
class Value:
    """One thing that was found, and where."""

    name: str
    value: str
    machines: tuple[str, ...]
    is_odd: bool
    """Most other machines have another value."""


@dataclass(frozen=True)
class Layer:
    """One step of the stack."""

    name: str
    values: tuple[Value, ...]
    has_values: bool
    """Whether there is something to be known of it beside its checks."""
    hidden_values: int
    counts: tuple[tuple[Verdict, int], ...]
    """Verdicts of this layer's checks, worst first."""

    @property
    def worst(self) -> str:
        """The worst verdict of its checks; "" without checks."""
        return self.counts[0][0].value if self.counts else ""


def layers_of(run: Run) -> list[Layer]:
    """All layers from the bottom up; one without facts and checks is there, too, and says so."""
    verdicts: dict[str, Counter[Verdict]] = {}
    names: dict[str, str] = {}
    for check in run.checks:
        if check.id not in names:
            names[check.id] = layer_of(check.id).step
        verdicts.setdefault(names[check.id], Counter())[check.verdict] += 1
    shown = list(STEPS) + ([(OTHER, ())] if OTHER in verdicts else [])
    return [_layer(run, name, fields, verdicts.get(name, Counter())) for name, fields in shown]


def _layer(run: Run, name: str, fields: Sequence[tuple[str, str]], verdicts: Counter[Verdict]) -> Layer:
    values = [value for label, form in fields for value in _values(label, form, run.hosts)]
    if name == "CUDA":
        values += _wanted(run.header.environment)
    if name == "OpenStack" and run.header.environment.get("release"):
        values.append(Value("Release", str(run.header.environment["release"]), (), False))
    counts = tuple((verdict, verdicts[verdict]) for verdict in WORST_FIRST if verdicts[verdict])
    return Layer(
        name,
        tuple(values[:MOST_VALUES_SHOWN]),
        bool(values) or bool(fields),
        max(0, len(values) - MOST_VALUES_SHOWN),
        counts,
    )


def _wanted(environment: Mapping[str, object]) -> list[Value]:
    """What the cloud file asks for stands where nothing was read from a machine."""
    packages = environment.get("cuda_packages")
    found = [Value("Asked for", f"CUDA {environment['cuda']}", (), False)] if environment.get("cuda") else []
    if isinstance(packages, list) and packages:
        found.append(Value("Packages", ", ".join(map(str, packages)), (), False))
    return found


def _values(label: str, form: str, hosts: Iterable[HostFacts]) -> list[Value]:
    """Each different value with the machines that have it, the most common first."""
    found: dict[str, set[str]] = {}
    for facts in hosts:
        for value in _filled(form, facts):
            found.setdefault(value, set()).add(facts.host)
    ordered = sorted(found, key=lambda value: (-len(found[value]), value))
    total = sum(map(len, found.values()))
    return [
        Value(label, value, tuple(sorted(found[value], key=natural)), len(found[value]) * 3 < total)
        for value in ordered
    ]


def _filled(form: str, facts: HostFacts) -> set[str]:
    if form == "{card}":
        return {card.name for card in facts.cards}
    if form == "{links}":
        return {f"PCI Express {width}" for name, width in facts.facts.items() if name.startswith("link ")}
    if form == "{vbios}":
        return {card.vbios for card in facts.cards if card.vbios}
    words = [facts.facts.get(word.strip("{}"), "") for word in form.split()]
    text = " ".join(word for word in words if word)
    return {text} if text else set()


def worst_by_place(checks: Iterable[CheckRecord]) -> dict[str, Verdict]:
    """Each place with the worst verdict there."""
    found: dict[str, Verdict] = {}
    for check in checks:
        known = found.get(check.place, check.verdict)
        found[check.place] = min(known, check.verdict, key=WORST_FIRST.index)
    return found
