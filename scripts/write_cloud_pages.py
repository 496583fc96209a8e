"""Write docs/clouds/NAME.md for each deployer: from nothing to a verdict, and what its settings are called.

`python scripts/write_cloud_pages.py` writes the pages from cloud_file/deployers/*.yaml and docs/clouds/notes.yaml.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from access.data_files import read_data  # noqa: E402  found by the line above
from cloud_file.deployer import GENERIC, Deployer, known_deployers, known_releases, load_deployer  # noqa: E402

FOLDER = REPOSITORY / "docs" / "clouds"
BY_HAND = """    git clone {repository} gpu-acceptance && cd gpu-acceptance
    make setup && . .venv/bin/activate
    cp clouds/examples/{example}.yaml clouds/mine.yaml
    $EDITOR clouds/mine.yaml                                    # {edit}
    {reach}
    python -m cloud_file check mine                             # every mistake with its line
{run}"""
DISCOVERED = """    git clone {repository} gpu-acceptance && cd gpu-acceptance
    make setup && . .venv/bin/activate
    {reach}
    python -m cloud_file discover mine {discover}
    $EDITOR clouds/mine.yaml                                    # answer its questions: {edit}
{run}"""
RUN = """\
    pytest suites/hosts suites/control_plane --cloud mine       # minutes: firmware, kernel, Nova's configuration
    pytest suites/ --cloud mine                                 # the verdict, with instances and CUDA
    xdg-open .runs/mine/latest/acceptance.html
    pytest suites/ --cloud mine --cleanup                       # only after an interruption"""
REPOSITORY_URL = "THIS_REPOSITORY"
TITLES = {
    "aliases": "PCI aliases",
    "device_specs": "devices that a compute gives away",
    "filters": "scheduler filters",
    "report_in_placement": "computes report cards to Placement",
    "pci_in_placement": "the scheduler asks Placement for cards",
    "pcie_ports": "PCI Express ports of q35 instances",
    "reserved_memory": "memory that the host keeps",
    "kernel_arguments": "kernel arguments",
}


def names() -> list[str]:
    """Deployers with a page: those that somebody can have installed."""
    return [name for name in known_deployers() if name != GENERIC]


def page(name: str) -> str:
    """The page of one deployer."""
    release = (known_releases(name) or [""])[-1]
    deployer, note = load_deployer(name, release), read_data(FOLDER / "notes.yaml")[name]
    lines = first_lines(note)
    parts = [
        f"# {note['title']}",
        note["about"].strip(),
        "## From nothing to a verdict",
        lines,
        note["hosts"].strip(),
        "## What its settings are called",
        "Fixes name these. A deployer is described in one file, "
        f"[cloud_file/deployers/{name}.yaml](../../cloud_file/deployers/{name}.yaml).",
        _table(deployer),
        f"To apply a change of Nova: {deployer.settings.how_to_apply}. "
        f"Of kernel arguments: {deployer.settings.how_to_apply_to_kernel}.",
        "## What often is wrong here",
        "\n".join(f"- {each}" for each in note["often"]),
    ]
    return "\n\n".join(parts) + "\n"


def first_lines(note: Mapping[str, str]) -> str:
    """What people type first; `discover` where the cloud is there already."""
    template = DISCOVERED if "discover" in note else BY_HAND
    return template.format(repository=REPOSITORY_URL, run=RUN, **{key: str(value) for key, value in note.items()})


def _table(deployer: Deployer) -> str:
    rows = [f"| {title} | {getattr(deployer.settings, key)} |" for key, title in TITLES.items()]
    return "\n".join(("| setting | where |", "|---|---|", *rows))


def main() -> None:
    """Write all pages."""
    for name in names():
        (FOLDER / f"{name}.md").write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
