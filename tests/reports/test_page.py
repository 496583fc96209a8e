"""The acceptance page says what the records say, whatever a host printed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import fields, replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from run_maker import Shape, lines, write

from access.errors import InputError
from judging.outcome import Outcome
from judging.records import CheckRecord, Evidence, Measurement, Verdict
from reports import look, page, run_names
from reports.__main__ import main
from reports.diagnosis import diagnose
from reports.history.database import open_file
from reports.history.loading import load
from reports.history.past import past_of
from reports.page.detail import detail_of, source_of
from reports.page.text import natural, number, visible
from reports.records import Card, HostFacts, RunEnd, RunHeader, json_line
from reports.run import read

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}&lt;\x1b[31m\u202e\x00"
HEALTHY = Shape()
STYLE = (Path(look.__file__).parent / "templates" / "base.css").read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Every element of a page, with its attributes, and the text of inline scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[tuple[str, str | None, str]] = []
        self.open: tuple[str, str | None] | None = None
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.open = (tag, dict(attrs).get("type")) if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self.open = None

    def handle_data(self, data: str) -> None:
        if self.open:
            self.inline.append((*self.open, data))
        else:
            self.text += f"{data} "


def _page(directory: Path, shape: Shape = HEALTHY) -> str:
    return page.write(write(directory, shape)).read_text(encoding="utf-8")


def _text(html: str) -> str:
    return " ".join(Elements(html).text.split())


def _packed(html: str, name: str) -> object:
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', html)
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found.group(1))))


def test_a_green_run_is_accepted_first_of_all(tmp_path: Path) -> None:
    """The verdict is the first heading, and nothing is said to be wrong."""
    text = _text(_page(tmp_path, Shape(hosts=2)))

    assert text.index("Accepted") < text.index("The stack as it was found")
    assert "All 24 checks passed." in text
    assert "Root cause" not in text
    assert "no acceptance" not in text


def test_a_red_run_names_its_root_cause_and_folds_what_follows(tmp_path: Path) -> None:
    """Fix, file and line, place, what is ruled out and what follows, before the stack."""
    html = _page(tmp_path, Shape(hosts=3, broken_hosts=1))
    causes = html[html.index('id="causes"') : html.index('id="servers"')]
    text = _text(causes)

    for said in (
        "argument missing host.iommu.cmdline",
        "add intel_iommu=on iommu=pt",
        "/etc/default/grub:6",
        "compute-0",
        "host.iommu.firmware",
        "host.iommu.groups compute-0",
    ):
        assert said in text
    assert "compute-1" not in text
    assert causes.count('<li class="cause">') == 1
    assert (
        "blocked cuda.device_query , instance.driver.loaded , instance.gpu.exact compute-0 no instance was made"
        in _text(html)
    )


@pytest.mark.parametrize(
    ("change", "word", "note"),
    [
        ({"whole": False}, "Passed in part", "this is no acceptance of the cloud"),
        ({"simulated": True}, "Accepted on simulated hardware", "says nothing about a real server"),
    ],
)
def test_what_limits_a_verdict_stands_beside_it(tmp_path: Path, change: dict[str, bool], word: str, note: str) -> None:
    """A part run and a simulated one are not simply accepted."""
    text = _text(_page(tmp_path, replace(Shape(), **change)))

    assert word in text
    assert note in text


def test_a_run_that_was_cut_off_says_so(tmp_path: Path) -> None:
    """Without its last line, and with half a line."""
    written = [json_line(line) for line in lines(Shape())]
    tmp_path.joinpath("records.jsonl").write_text("".join(written[:-2]) + written[-2][:50], encoding="utf-8")

    text = _text(page.render(read(tmp_path)))

    assert "Could not be judged" in text
    assert "The run was cut off" in text
    assert "1 line of the records could not be read" in text


def test_simulated_hardware_is_on_screen_in_print_and_in_the_title(tmp_path: Path) -> None:
    """A bar that stays in sight, a mark on every printed page, every check's detail; nothing of it in a real run."""
    simulated, real = (_page(tmp_path / str(is_so), Shape(simulated=is_so)) for is_so in (True, False))

    assert '<aside class="simulated" aria-label="Hardware">SIMULATED HARDWARE</aside>' in simulated
    assert '@top-center { content: "SIMULATED HARDWARE"' in simulated
    assert "<title>SIMULATED HARDWARE" in simulated
    details = _packed(simulated, "chunk-0")
    assert isinstance(details, list)
    assert all("<strong>SIMULATED HARDWARE</strong>" in detail for detail in details)
    assert "SIMULATED HARDWARE" not in real
    assert not any("SIMULATED" in detail for detail in _packed(real, "chunk-0"))  # type: ignore[attr-defined]


def _hostile(kind: type[object], **given: object) -> dict[str, object]:
    """Every text of a record is hostile but those that are given."""
    texts = {field.name: HOSTILE for field in fields(kind) if str(field.type) == "str"}  # type: ignore[arg-type]
    return {**texts, **given}


def _hostile_run() -> list[str]:
    header = RunHeader(
        **_hostile(
            RunHeader,
            simulated=False,
            environment={"release": HOSTILE, "cuda": HOSTILE, "cuda_packages": [HOSTILE]},
            declared_hosts={HOSTILE: 2},
            declared_guests={HOSTILE + "2": 1},
        ),
    )  # type: ignore[arg-type]
    card = Card(**_hostile(Card))  # type: ignore[arg-type]
    facts = HostFacts(
        HOSTILE, dict.fromkeys(("kernel", "system", "driver", "bios_version", f"link {HOSTILE}"), HOSTILE), (card,)
    )
    evidence = Evidence(**_hostile(Evidence, exit_code=1, duration_s=0.1))  # type: ignore[arg-type]
    figures = tuple(
        Measurement(**_hostile(Measurement, value=value, repetition=1, minimum=2.0, device=device, direction="higher"))  # type: ignore[arg-type]
        for value, device in ((1.0, HOSTILE), (2.5, "0-1"), (1.5, "1-0"), (9.0, "0"))
    )
    checks = [
        CheckRecord(
            **_hostile(
                CheckRecord,
                id=f"{HOSTILE}{verdict}",
                verdict=verdict,
                evidence=(evidence,),
                measurements=figures,
                rests_on=(HOSTILE,),
            )
        )  # type: ignore[arg-type]
        for verdict in Verdict
    ]
    end = RunEnd(HOSTILE, Outcome.REJECTED, 1)
    return [json_line(line) for line in (header, facts, *checks, end)]


def test_what_a_host_printed_is_shown_and_never_acts(tmp_path: Path) -> None:
    """Hostile text in every field: no element, handler or address comes of it, and control characters are visible."""
    tmp_path.joinpath("records.jsonl").write_text("".join(_hostile_run()), encoding="utf-8")
    html = page.render(read(tmp_path))
    details = _packed(html, "chunk-0")
    assert isinstance(details, list)

    for part in (html, *details):
        found = Elements(part).found
        assert not [tag for tag, _ in found if tag in ("img", "iframe", "object", "embed", "link", "base", "form2")]
        assert not [name for _, attributes in found for name in attributes if name.startswith("on")]
        addresses = [attributes["href"] for _, attributes in found if attributes.get("href")]
        assert all(address.startswith(("#", "https://", "http://")) for address in addresses if address)
        assert not set(part) & {"\x1b", "\x00", "\u202e"}
    assert "\u241b[31m[U+202E]" in html
    assert "{{7*7}}" in html
    scripts = [attributes for tag, attributes in Elements(html).found if tag == "script"]
    assert len(scripts) == html.count("<script") == 3


def test_an_address_that_is_no_web_address_is_no_link(tmp_path: Path) -> None:
    """A source may be anything; only http and https become links."""
    checks = [line for line in lines() if isinstance(line, CheckRecord)]
    header = next(line for line in lines() if isinstance(line, RunHeader))
    bad = replace(checks[0], source="javascript:alert(1)")
    tmp_path.joinpath("records.jsonl").write_text(json_line(header) + json_line(bad), encoding="utf-8")

    assert 'href="javascript' not in page.render(read(tmp_path))


def test_only_the_pages_own_script_and_style_may_be_used(tmp_path: Path) -> None:
    """The policy names both by hash, and allows no request at all; there is no inline handler or style to need more."""
    html = _page(tmp_path, Shape(broken_hosts=1, simulated=True))
    elements = Elements(html)
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy

    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        source = "".join(text for kind, media, text in elements.inline if kind == tag and media is None)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [attributes for _, attributes in elements.found if "style" in attributes or "src" in attributes]


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    """In another directory, and from lines in another order."""
    first = _page(tmp_path / "one", Shape(broken_hosts=1, slow_cards=1))
    records = (tmp_path / "one" / "records.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "records.jsonl").write_text("".join([records[0], *records[:0:-1]]), encoding="utf-8")

    assert page.write(tmp_path / "two").read_text(encoding="utf-8") == first


def test_the_page_is_whole_or_not_there(tmp_path: Path) -> None:
    """Records that cannot be used leave an older page as it was, and no half one beside it."""
    _page(tmp_path)
    before = (tmp_path / "acceptance.html").read_bytes()
    (tmp_path / "records.jsonl").write_text("nothing\n", encoding="utf-8")

    with pytest.raises(InputError):
        page.write(tmp_path)

    assert (tmp_path / "acceptance.html").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["acceptance.html", "records.jsonl"]


def test_figures_stand_beside_band_source_and_bare_metal(tmp_path: Path) -> None:
    """Each metric with its accepted band, where that comes from, and the ratio to bare metal."""
    html = _page(tmp_path, Shape(hosts=6, cards=2, slow_cards=1, bare_metal=True))
    figures = _text(html[html.index('id="figures"') : html.index('id="checks"')])

    assert "Host to device bandwidth at least 10 GB/s" in figures
    assert "Accepted: at least 10 GB/s. Source: reference of the model" in figures
    assert re.search(r"compute-0 0 5\.9\d+ [\d.]+ [\d.]+ 3 (49|50)\.\d% outside the accepted band", figures)
    assert re.search(r"compute-3 1 11\.\d+ [\d.]+ [\d.]+ 3 (99|100)\.\d%", figures)


def test_pairs_outside_their_band_are_marked_not_only_by_colour(tmp_path: Path) -> None:
    """A heat map of four cards, two paths with a letter each, one pair too slow."""
    made = list(lines(Shape(hosts=1, cards=4)))
    for position, line in enumerate(made):
        if isinstance(line, CheckRecord) and line.measurements:
            slow = tuple(
                replace(m, value=3.0) if m.device == "0-3" and m.unit == "GB/s" else m for m in line.measurements
            )
            made[position] = replace(line, measurements=slow)
    tmp_path.joinpath("records.jsonl").write_text("".join(map(json_line, made)), encoding="utf-8")
    html = page.render(read(tmp_path))

    assert html.count('class="heat"') == 2
    assert re.search(
        r'<td class="h0 wrong" title="too low"><span aria-label="too low">▼</span>3\.000<sup>b</sup></td>', html
    )
    assert "a P2P same root: at least 12 GB/s" in _text(html)
    assert "b P2P through host: at least 8 GB/s" in _text(html)


def test_a_thousand_hosts_make_a_page_of_a_few_megabytes(tmp_path: Path) -> None:
    """All machines as tiles, the worst drawn, a hundred rows of checks, the rest folded."""
    html = _page(
        tmp_path, Shape(hosts=1000, cards=4, checks_per_host=6, repetitions=1, broken_hosts=3, output_chars=60)
    )

    assert html.count('data-search="compute-') == 1000
    assert html.count('<figure class="machine') == 8
    assert html.count('class="check"') == 100
    assert len(html) < 8 * 2**20
    index = _packed(html, "index")
    assert isinstance(index, dict)
    assert len(index["verdict"]) == 6000
    assert "1,000 of 1,000 looked at" in _text(html)


def test_detail_over_the_budget_stays_in_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst checks come first, so theirs is in the page; what is left out is counted and said."""
    monkeypatch.setattr("reports.page.checks.MOST_PACKED_CHARS", 60_000)
    html = _page(tmp_path, Shape(hosts=60, broken_hosts=1, output_chars=2000))

    assert re.search(r"the detail of \d+ passed checks is only in records\.jsonl", _text(html))


# What a person can read: WCAG 2.2, success criterion 1.4.3, https://www.w3.org/TR/WCAG22/#contrast-minimum
THEMES = {
    "light": STYLE[STYLE.index(":root") : STYLE.index("@media")],
    "dark": STYLE[STYLE.index("@media screen") : STYLE.index("* { box")],
}
PAIRS = [
    *(
        (colour, ground)
        for colour in ("text", "muted", "accent", "good", "bad", "warn")
        for ground in ("ground", "raised", "sunk")
    ),
    ("good", "good-ground"),
    ("bad", "bad-ground"),
    ("warn", "warn-ground"),
    ("text", "good-ground"),
    ("muted", "bad-ground"),
    ("muted", "warn-ground"),
    ("on-simulated", "simulated"),
    ("simulated", "ground"),
    *(("text", f"h{step}") for step in range(8)),
    ("bad", "h0"),
    ("muted", "good-ground"),
]


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("colour", "ground"), PAIRS, ids=map("-on-".join, PAIRS))
def test_text_has_enough_contrast(theme: str, colour: str, ground: str) -> None:
    """At least 4.5 to 1."""
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", THEMES[theme]))
    one, other = sorted((_luminance(colours[colour]), _luminance(colours[ground])))

    assert (other + 0.05) / (one + 0.05) >= 4.5


def test_texts_are_shown_as_people_read_them() -> None:
    """Numbers with the digits that count, names in the order of their numbers, hidden characters by name."""
    assert [number(value) for value in (0, 502.06, 11.929, 1.4021, 0.00052, 12345.6)] == [
        "0",
        "502",
        "11.93",
        "1.402",
        "0.00052",
        "12,346",
    ]
    assert sorted(["compute-10", "compute-2", ""], key=natural) == ["", "compute-2", "compute-10"]
    assert visible("a\tb\nc\x07\u200b") == "a\tb\nc\u2407[U+200B]"


def test_the_page_can_be_made_again_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m reports page RUN` says where it is; what is no run ends with 64 and one sentence."""
    write(tmp_path / "run")

    assert main(["page", str(tmp_path / "run"), "--output", str(tmp_path / "elsewhere.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "elsewhere.html")
    assert (tmp_path / "elsewhere.html").is_file()
    assert main(["page", str(tmp_path / "none")]) == 64
    assert "there is no run" in capsys.readouterr().err


def test_a_folder_that_is_no_run_does_not_hide_a_clouds_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout has a folder lab/, and a cloud is called lab."""
    (tmp_path / "lab").mkdir()
    made = write(tmp_path / ".runs" / "lab" / "reports" / "lab-1")
    (tmp_path / ".runs" / "lab" / "latest").symlink_to("reports/lab-1")
    monkeypatch.chdir(tmp_path)

    assert run_names.find("lab", tmp_path / ".runs").resolve() == made
    assert run_names.find("./lab", tmp_path / ".runs") == Path("lab")
    with pytest.raises(InputError, match="is no run"):
        read(run_names.find("./lab", tmp_path / ".runs"))


def _since(directory: Path, *broken_hosts: int) -> str:
    """The page of the last of some nights, each with so many broken hosts."""
    database = open_file(directory / "history.db")
    for night, broken in enumerate(broken_hosts):
        name, day = f"made-{night}", f"2026-03-0{night + 1}"
        made = [
            replace(line, started=line.started.replace("2026-03-01", day)) if isinstance(line, RunHeader) else line
            for line in lines(Shape(hosts=3, broken_hosts=broken, slow_cards=night), name)
        ]
        folder = directory / "reports" / name
        folder.mkdir(parents=True)
        (folder / "records.jsonl").write_text("".join(map(json_line, made)), encoding="utf-8")
        page.write(folder, past_of=partial(past_of, database), coming=["junit.xml"])
        load(database, read(folder))
    return (folder / "acceptance.html").read_text(encoding="utf-8")


def test_what_is_new_since_the_run_before_is_said(tmp_path: Path) -> None:
    """What failed tonight and passed before, what passes again, and a link to the run before."""
    worse, better = _text(_since(tmp_path / "one", 0, 1)), _text(_since(tmp_path / "two", 0, 2, 1))

    assert "Since the run before" in worse
    assert "failed host.iommu.cmdline compute-0 was passed" in worse
    assert re.search(r"\d passed now", better)
    assert "passed host.iommu.cmdline compute-1 was failed" in better
    assert "host.iommu.cmdline compute-0 was" not in better
    assert '<a href="../made-0/acceptance.html">made-0</a>' in (
        tmp_path / "one" / "reports" / "made-1" / "acceptance.html"
    ).read_text(encoding="utf-8")


def test_a_first_run_has_no_run_before(tmp_path: Path) -> None:
    """And no course of its figures."""
    html = _since(tmp_path, 0)

    assert "Since the run before" not in html
    assert 'class="spark"' not in html


def test_figures_show_their_course_over_the_last_runs(tmp_path: Path) -> None:
    """Of all devices in the overview, of each device in its table: oldest left, this run right."""
    html = _since(tmp_path, 0, 0, 0)

    labels = re.findall(r'class="spark"[^>]*aria-label="(\d+ runs, from [^"]*)"', html)
    assert labels
    assert all(label.startswith("3 runs, from ") for label in labels)


def test_a_page_names_what_lies_beside_it(tmp_path: Path) -> None:
    """Records, JUnit that is about to be written, the trend of all runs; what is not there is a command."""
    (tmp_path / "trend.html").touch()
    html = _since(tmp_path, 0)

    links = re.findall(r'<a href="([^"#]*)">([^<]*)</a>', html[html.index("<footer>") :])
    assert links == [
        ("records.jsonl", "records"),
        ("junit.xml", "JUnit XML"),
        ("../../trend.html", "trend of all runs"),
    ]
    assert "python -m reports certify made-0 --key FILE" in _text(html)


def test_sources_are_links_wherever_an_address_stands_in_them() -> None:
    """In the midst of a sentence, without the sentence's own signs; what is no web address is none."""
    made = source_of('measured by "x", https://a.example/b?c=1&d=2. See (http://e.example/f), javascript:alert(1)')

    assert re.findall('href="([^"]*)"', made) == ["https://a.example/b?c=1&amp;d=2", "http://e.example/f"]
    assert "javascript:alert(1)" in made


def test_commands_are_shown_once_scripts_folded_and_helpers_last() -> None:
    """What only finds a tool is no evidence to look at first."""

    def ran(command: str, output: str) -> Evidence:
        return Evidence("compute-0", command, 0, output, 0.1)

    record = next(line for line in lines() if isinstance(line, CheckRecord))
    evidence = (ran("command -v tool", "/bin/tool"), ran("tool", "9"), ran("tool", "9"), ran("set -e\ntool --all", "8"))
    html = detail_of(replace(record, evidence=evidence))

    assert html.count('class="evidence"') == 3
    assert "2 times the same" in html
    assert html.index(">9</pre>") < html.index("1 helper command<") < html.index("/bin/tool</pre>")
    assert '<details class="script">' in html
    only_helpers = detail_of(replace(record, evidence=evidence[:1]))
    assert "helper command" not in only_helpers


def test_look_alikes_stand_with_the_nearest_first_and_few(tmp_path: Path) -> None:
    """Of many foundations that passed four are shown; the others are folded."""
    made = list(lines(Shape(hosts=1)))
    names = [f"host.iommu.other_{number:02}" for number in range(20)]
    checks = [line for line in made if isinstance(line, CheckRecord)]
    extra = [replace(checks[0], id=name, rests_on=("host.iommu.deep",) if name == names[19] else ()) for name in names]
    deep = replace(checks[0], id="host.iommu.deep", rests_on=())
    bad = replace(
        checks[-1], id="cuda.bad", verdict=Verdict.FAILED, cause="slow", rests_on=tuple(names), measurements=(), fix=""
    )
    (cause,) = diagnose([*extra, deep, bad])

    assert cause.ruled_out == (*names, "host.iommu.deep")
    tmp_path.joinpath("records.jsonl").write_text(
        "".join(map(json_line, [made[0], *extra, deep, bad])), encoding="utf-8"
    )
    html = page.render(read(tmp_path))
    assert "host.iommu.other_03 and 17 more" in _text(html)


def test_a_run_is_found_by_its_name_or_its_cloud(tmp_path: Path) -> None:
    """Its id below any cloud, or a cloud for the latest run; a pattern is no name."""
    made = write(tmp_path / "mine" / "reports" / "mine-1")
    (tmp_path / "mine" / "latest").symlink_to(Path("reports") / "mine-1")

    assert run_names.find("mine-1", tmp_path) == made
    assert run_names.find("mine", tmp_path).resolve() == made
    for name in ("mine-*", "", "mine-2", "../mine-1"):
        with pytest.raises(InputError, match="there is no run"):
            run_names.find(name, tmp_path)
