"""What a payload wrote on one machine, read where it is used: what cannot be read fails the check that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from access.errors import ParseError, ToolFailure
from probes import dcgm_diag, gpu_burn, kernel_log, link_errors, load
from probes.dcgm_diag import Diagnosis
from probes.gpu_burn import GpuBurn
from probes.load import Checked, Copied
from probes.nvidia_smi import query

TITLE = "==============NVSMI LOG=============="


@dataclass(frozen=True)
class Loaded:
    """One machine after its load."""

    name: str
    host: str
    """The server it runs on; "" where that is not known."""
    level: str
    texts: Mapping[str, str] = field(default_factory=dict)
    """What the payload wrote, by file, and beside it: kernel_before, kernel_after, host_before, host_after."""
    planned: Mapping[str, int] = field(default_factory=dict)
    """Seconds that the level wants of each load, by program."""
    lost: str = ""
    """How the machine went away under its load; "" where it did not."""
    missing: str = ""
    """Why there is no result, which says nothing about the machine; "" where there is one."""
    is_blocked: bool = False
    """Whether there is none because another check failed."""

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def was_built(self) -> bool:
        """Whether our own program could be built there."""
        return bool(self.texts.get("checks"))

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """When each step began."""
        return load.parse_steps(self.texts.get("steps", ""))

    @cached_property
    def checks(self) -> tuple[Checked, ...]:
        """What our program found on each card; none where it could not be built."""
        return load.parse_checks(self.texts["checks"]) if self.was_built else ()

    @cached_property
    def alone(self) -> tuple[Copied, ...]:
        """Copies of one card after another."""
        return load.parse_copies(self.texts["alone"]) if self.texts.get("alone") else ()

    @cached_property
    def together(self) -> tuple[Copied, ...]:
        """Copies of all cards at once."""
        return load.parse_copies(self.texts["copies"]) if self.texts.get("copies") else ()

    @cached_property
    def burned(self) -> GpuBurn | None:
        """What gpu_burn found; None where it is not installed."""
        return gpu_burn.parse(self.texts["burn"]) if self.texts.get("burn") else None

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """What DCGM found; None where it is not installed."""
        return dcgm_diag.parse(self.texts["dcgm"]) if self.texts.get("dcgm") else None

    @property
    def diagnosis_if_any(self) -> Diagnosis | None:
        """As `diagnosis`; None also where DCGM is installed and its service does not run."""
        try:
            return self.diagnosis
        except ToolFailure as failure:
            if failure.kind != "no-service":
                raise
            return None

    @property
    def load_seconds(self) -> float:
        """How long the cards worked, by the machine's clock; in simulated hardware what the programs say is longer."""
        begun, ended = self.steps.get("copies"), self.steps.get("loaded")
        measured = float(ended - begun) if begun is not None and ended is not None else 0.0
        return max(measured, *(card.seconds for card in self.checks), 1.0)

    @cached_property
    def before(self) -> query.Query:
        """The cards before the load."""
        return query.parse(self.texts.get("before", ""))

    @cached_property
    def after(self) -> query.Query:
        """The cards after the load."""
        return query.parse(self.texts.get("after", ""))

    @cached_property
    def samples(self) -> tuple[query.Query, ...]:
        """The cards while they worked, in the order of time."""
        answers = [TITLE + rest for rest in self.texts.get("samples", "").split(TITLE)[1:]]
        if not answers:
            raise ParseError("nvidia-smi -q", "no answer under load", line=self.texts.get("samples", "")[:200])
        return tuple(_whole(answers))

    @cached_property
    def new_lines(self) -> kernel_log.KernelLog | None:
        """What the kernel logged since the load began; None where it logged nothing."""
        return _since(self.texts.get("kernel_before", ""), self.texts.get("kernel_after", ""))

    @cached_property
    def links_grown(self) -> Mapping[str, tuple[int, int]]:
        """Counters of NVLink errors before and after, by card, link and name, of those that grew."""
        return link_errors.grown(self.texts.get("links", ""), self.texts.get("links_after", ""))


def _whole(answers: list[str]) -> list[query.Query]:
    """The last one may be cut: the load ended while it was written."""
    found = [query.parse(answer) for answer in answers[:-1]]
    try:
        found.append(query.parse(answers[-1]))
    except ParseError:
        if not found:
            raise
    return found


def _since(before: str, after: str) -> kernel_log.KernelLog | None:
    """The part of a log that came after `before`; the log's own beginning may be lost by then."""
    last = next((line for line in reversed(before.splitlines()) if line.strip()), None)
    lines = after.splitlines()
    place = max((number for number, line in enumerate(lines, start=1) if line == last), default=0)
    fresh = "\n".join(lines[place:])
    return kernel_log.parse(fresh) if fresh.strip() else None
