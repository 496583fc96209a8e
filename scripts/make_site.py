"""Lays out the documentation as a site: docs/, the pages of the root, and a page for each symptom.

python scripts/make_site.py DIRECTORY    # then: mkdocs build; `make site` does both
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
ROOT_PAGES = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
}
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
BARE_LINK = re.compile(r"(?<![(<`\w])(https?://[^\s)>`,]+)")
CHECK = re.compile(r"`([a-z_]+(?:\.[a-z_0-9]+)+)`")
FENCE = re.compile(r"^(```|    )")
CSS = """
/* Tables of ids and paths are wide: they scroll on a telephone, the page does not. */
.md-typeset table:not([class]) { display: block; overflow-x: auto; max-width: 100%; }
.md-typeset { overflow-wrap: anywhere; }
@media print { .md-header, .md-sidebar, .md-footer { display: none; } }
"""


@dataclass(frozen=True)
class Symptom:
    """One thing that people see."""

    title: str
    body: str
    slug: str


def symptoms(text: str) -> Iterator[Symptom]:
    """The entries of docs/symptoms.md, each with a name of its own for its page."""
    taken: set[str] = set()
    for entry in text.split("\n## ")[1:]:
        title, _, body = entry.partition("\n")
        plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "symptom"
        slug = next(name for name in (plain, *(f"{plain}-{number}" for number in range(2, 1000))) if name not in taken)
        taken.add(slug)
        yield Symptom(title.strip(), body.strip(), slug)


def page_of(symptom: Symptom, anchors: set[str]) -> str:
    """Symptom, cause, remedy; the check's name leads to what it rests on and where it was read."""
    body = CHECK.sub(lambda found: _check(found.group(1), anchors), symptom.body)
    return f"# {_text(symptom.title)}\n\n{_linked(body)}\n\n[All symptoms](../symptoms.md)\n"


def _check(name: str, anchors: set[str]) -> str:
    return f"[`{name}`](../checks.md#{anchor_of(name)})" if anchor_of(name) in anchors else f"`{name}`"


def anchor_of(heading: str) -> str:
    """As mkdocs makes it of an id: host.gpu.whole becomes hostgpuwhole."""
    return re.sub(r"[^\w\s-]", "", heading.lower()).strip()


def _linked(text: str) -> str:
    return BARE_LINK.sub(r"<\1>", text)


def _text(title: str) -> str:
    """What was printed is no markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", title)


def lay_out(target: Path) -> None:
    """Write all pages below `target`."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "site.css").write_text(CSS, encoding="utf-8")
    sources = {path: target / path.relative_to(DOCS) for path in sorted(DOCS.rglob("*")) if path.is_file()}
    sources |= {REPOSITORY / name: target / page for name, page in ROOT_PAGES.items()}
    for source, page in sources.items():
        page.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            page.write_text(_moved(source, page, sources, target), encoding="utf-8")
        else:
            shutil.copy(source, page)
    _write_symptoms(target)


def _write_symptoms(target: Path) -> None:
    text = (DOCS / "symptoms.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)$", (DOCS / "checks.md").read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {anchor_of(heading) for heading in headings}
    found = sorted(symptoms(text), key=lambda symptom: symptom.title.lower())
    (target / "symptoms").mkdir(exist_ok=True)
    for symptom in found:
        (target / "symptoms" / f"{symptom.slug}.md").write_text(page_of(symptom, anchors), encoding="utf-8")
    lines = [f"- [{_text(symptom.title)}](symptoms/{symptom.slug}.md)" for symptom in found]
    head = text.split("\n## ")[0]
    (target / "symptoms.md").write_text(f"{head}\n\nType what you see into the search.\n\n" + "\n".join(lines) + "\n")


def _moved(source: Path, page: Path, sources: dict[Path, Path], target: Path) -> str:
    """A page with its links leading to where things are in the site; files beside the pages come along."""

    def link(found: re.Match[str]) -> str:
        wanted = (source.parent / found.group(1)).resolve()
        place = sources.get(wanted)
        if place is None and wanted.is_file() and REPOSITORY in wanted.parents:
            place = target / "files" / f"{wanted.relative_to(REPOSITORY)}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(wanted, place)
        if place is None:
            return found.group()  # mkdocs tells that it leads nowhere
        return f"]({os.path.relpath(place, page.parent)}{found.group(2) or ''})"

    return LINK.sub(link, source.read_text(encoding="utf-8"))


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
