"""Certificates: what they say, what is refused, and that no byte can be changed unseen."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from made_runs import FACTS, UUIDS, check, made_run, write

from judging.coverage import ExcusedCards
from judging.outcome import Outcome
from judging.records import Verdict
from probes.card_identity import CardIdentity
from reports.__main__ import main
from reports.certification import certificate, keys
from reports.certification.attestation import signed
from reports.certification.requirements import catalogue
from reports.ctrf import ctrf
from reports.junit import junit
from reports.prometheus import prometheus
from reports.run import Run

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN = (
    "host.iommu.cmdline",
    "control_plane.filters.pci",
    "image.available",
    "instance.gpu.exact",
    "instance.driver.loaded",
    "cuda.device_query",
    "cuda.p2p",
    "cuda.p2p_data",
    "cuda.computes_right",
    "undercloud.overcloud.complete",
    "preflight.files",
    "lifecycle.power.reboot",
    "tenants.isolation",
)


def good_run(**header: object) -> Run:
    return made_run(more=[check(name) for name in PLAIN], **header)


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    """A private key's file; PUBLIC beside it."""
    return new_key(tmp_path_factory.mktemp("keys"))


def new_key(directory: Path) -> Path:
    made = Ed25519PrivateKey.generate()
    private, public = directory / "key.pem", directory / "public.pem"
    private.touch(mode=0o600)
    private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private


@pytest.fixture(scope="module")
def genuine(tmp_path_factory, key) -> Path:
    """A certificate of a good run."""
    directory = tmp_path_factory.mktemp("run")
    assert main(["certify", str(write(good_run(), directory)), "--key", str(key)]) == 0
    return directory / "certificate"


@pytest.fixture
def copied(genuine, tmp_path) -> Path:
    return Path(shutil.copytree(genuine, tmp_path / "copy"))


def verified(directory: Path, key: Path) -> int:
    return main(["verify", str(directory), "--public-key", str(key.with_name("public.pem"))])


def certified(run: Run, directory: Path, key: Path, *options: str) -> int:
    return main(["certify", str(write(run, directory)), "--key", str(key), *options])


def test_a_certificate_says_what_was_certified(genuine, key, capsys):
    """Servers, BIOS, cards by serial and UUID, software, every requirement, the figures."""
    facts = json.loads((genuine / "certificate.json").read_text())
    page = (genuine / "certificate.html").read_text()

    assert verified(genuine, key) == 0
    assert "genuine" in capsys.readouterr().out
    assert facts["decision"] == "PASS"
    assert {card["uuid"] for card in facts["subject"]["cards"]} == set(UUIDS[:3])
    assert facts["subject"]["software"]["drivers"] == ["384.183"]
    assert facts["requirements"]["PAST-1"]["status"] == "not tested"
    for text in (FACTS["bios_version"], "PowerEdge C4130", UUIDS[0], "0324617000", "11.90", "ocata", "CUDA-2"):
        assert text in page
    assert "Measured and certified" not in page
    assert "REHEARSAL" not in page
    assert (genuine / "certificate.pdf").read_bytes().startswith(b"%PDF-")


def test_the_attestation_is_in_totos(genuine):
    """Statement, predicate and names of tests as the specification has them."""
    import base64

    envelope = json.loads((genuine / certificate.ATTESTATION).read_text())
    found = json.loads(base64.b64decode(envelope["payload"]))

    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert found["predicate"]["result"] == "PASSED"
    assert "cuda.bandwidth[one-card]" in found["predicate"]["passedTests"]
    assert {subject["name"] for subject in found["subject"]} == {
        "certificate.html",
        "certificate.json",
        "certificate.pdf",
        "records.jsonl",
        "requirements.yaml",
    }


def test_the_same_run_gives_the_same_bytes(genuine, key, tmp_path):
    """PDF and signature included."""
    assert certified(good_run(), tmp_path / "run", key) == 0

    for file in genuine.iterdir():
        assert (tmp_path / "run" / "certificate" / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.mark.parametrize("where", [0, 0.3, 0.7, -1])
def test_one_changed_byte_in_any_file_is_told(copied, key, where, capsys):
    """Beginning, middle and end of each file, the attestation's own too."""
    for file in sorted(copied.iterdir()):
        before = file.read_bytes()
        place = where if isinstance(where, int) else int(len(before) * where)
        changed = bytearray(before)
        changed[place] ^= 1

        file.write_bytes(bytes(changed))

        assert verified(copied, key) == 1, file.name
        assert f"NOT GENUINE  {file.name}: " in capsys.readouterr().out
        file.write_bytes(before)
    assert verified(copied, key) == 0


def test_every_byte_of_the_attestation_matters(genuine, key):
    """No byte of the envelope can be another one, signed or not: padding, key id and blanks included."""
    public = keys.public_key(key.with_name("public.pem"))
    envelope = (genuine / certificate.ATTESTATION).read_bytes()
    tail = range(len(envelope) - 400, len(envelope))

    for place in [*range(0, len(envelope) - 400, 37), *tail]:
        forged = bytearray(envelope)
        forged[place] ^= 4
        with pytest.raises(certificate.Forged):
            certificate.opened(bytes(forged), public)
    for longer in (envelope + b"\n", envelope.replace(b",", b", ", 1), envelope[:-1] + b',"more":1}'):
        with pytest.raises(certificate.Forged):
            certificate.opened(longer, public)


def test_missing_extra_and_replaced_files_are_told(copied, key, capsys):
    """A link to the very same bytes, too: tomorrow it may show others."""
    (copied / "certificate.pdf").unlink()
    (copied / "more.txt").write_text("x")
    (copied / "folder").mkdir()
    shutil.move(copied / "records.jsonl", copied.parent / "records.jsonl")
    (copied / "records.jsonl").symlink_to(copied.parent / "records.jsonl")

    assert verified(copied, key) == 1

    told = capsys.readouterr().out
    for line in (
        "certificate.pdf: is missing",
        "more.txt: was not signed",
        "folder: was not signed",
        "records.jsonl: is no file",
    ):
        assert line in told


def test_another_key_and_a_forged_subject_are_told(copied, key, tmp_path, capsys):
    """Whoever signs changed files with another key is found out; so is a statement with a new subject."""
    other = new_key(tmp_path)
    (copied / "certificate.json").write_bytes(b"{}")
    files = {file.name: file.read_bytes() for file in copied.iterdir()}
    import base64
    import hashlib

    payload = json.loads(base64.b64decode(json.loads(files[certificate.ATTESTATION])["payload"]))
    for subject in payload["subject"]:
        subject["digest"]["sha256"] = hashlib.sha256(files[subject["name"]]).hexdigest()
    forged = json.dumps(payload).encode()

    (copied / certificate.ATTESTATION).write_bytes(signed(forged, keys.signer(str(other))))
    by_other = verified(copied, key)
    envelope = json.loads(files[certificate.ATTESTATION]) | {"payload": base64.b64encode(forged).decode()}
    (copied / certificate.ATTESTATION).write_text(json.dumps(envelope, sort_keys=True, separators=(",", ":")))

    assert (by_other, verified(copied, key)) == (1, 1)
    assert capsys.readouterr().out.count("NOT GENUINE") == 2


@pytest.mark.parametrize(
    "junk", [b"", b"{}", b"[]", b"null", b'{"payload":"e30","payloadType":"x","signatures":[]}', b"\xff"]
)
def test_junk_is_no_attestation(copied, key, junk):
    """Told, not crashed upon."""
    (copied / certificate.ATTESTATION).write_bytes(junk)

    assert verified(copied, key) == 1


def ended(**changes):
    """A good run whose last line was changed."""
    run = good_run()
    return replace(run, end=replace(run.end, **changes))


def altered(run):
    """The run with one changed output in its evidence."""
    first, *rest = run.checks
    evidence = (replace(first.evidence[0], output="better"), *first.evidence[1:])
    return replace(run, checks=(replace(first, evidence=evidence), *rest))


@pytest.mark.parametrize(
    ("run", "options", "words"),
    [
        (good_run(simulated=True), [], "simulated hardware is never certified"),
        (good_run(), ["--rehearsal"], "no rehearsal"),
        (good_run(whole=False), [], "only a part"),
        (replace(good_run(), end=None), [], "cut off"),
        (made_run(more=[check("cuda.p2p", verdict=Verdict.ERROR)]), [], "could not judge"),
        (made_run(more=[check("cuda.p2p", simulated=True)]), [], "simulated hardware"),
        (ended(exit_code=1), [], "its exit code is 1"),
        (ended(exit_code=70), [], "its exit code is 70"),
        (ended(ended="2026-01-01T00:00:00.000+00:00"), [], "before it started"),
        (altered(good_run()), [], "is not the one that was hashed"),
    ],
    ids=[
        "simulated",
        "real rehearsal",
        "part",
        "cut off",
        "not judged",
        "one simulated record",
        "pytest failed",
        "not cleaned up",
        "ended before it started",
        "altered evidence",
    ],
)
def test_what_is_no_ground_is_never_certified(run, options, words, key, tmp_path, capsys):
    """Nothing is written, and the reason is said."""
    assert certified(run, tmp_path / "run", key, *options) == 69

    assert words in capsys.readouterr().out
    assert not (tmp_path / "run" / "certificate").exists()


def test_a_rehearsal_says_so_everywhere(key, tmp_path, capsys):
    """Page, PDF, data, and each test's name of the statement."""
    import base64

    assert certified(good_run(simulated=True), tmp_path / "run", key, "--rehearsal") == 0

    made = tmp_path / "run" / "certificate"
    envelope = json.loads((made / certificate.ATTESTATION).read_text())
    names = json.loads(base64.b64decode(envelope["payload"]))["predicate"]["passedTests"]
    words = "REHEARSAL – SIMULATED HARDWARE, NOT A CERTIFICATE"
    assert words in (made / "certificate.html").read_text()
    assert json.loads((made / "certificate.json").read_text())["rehearsal"] == words
    assert all(words in name for name in names)
    assert verified(made, key) == 0
    assert words in capsys.readouterr().out


def test_the_runs_page_links_to_its_certificate(key, tmp_path):
    """Where there is a page; without one none is made."""
    run = tmp_path / "run"
    write(good_run(), run)
    assert main(["page", str(run)]) == 0
    assert main(["certify", str(run), "--key", str(key)]) == 0

    assert '<a href="certificate/certificate.html">certificate</a>' in (run / "acceptance.html").read_text()
    assert certified(good_run(), tmp_path / "other", key) == 0
    assert not (tmp_path / "other" / "acceptance.html").exists()


def test_a_rehearsal_is_no_pass_in_any_word(key, tmp_path, capsys):
    """Where a certificate says PASS, on the terminal and on the page, a rehearsal says that it is one."""
    certified(good_run(simulated=True), tmp_path / "run", key, "--rehearsal")

    page = (tmp_path / "run" / "certificate" / "certificate.html").read_text()
    assert '<p class="verdict fail">REHEARSAL PASS</p>' in page
    assert capsys.readouterr().out.splitlines()[-1].startswith("REHEARSAL PASS: ")


def test_number_tester_place_and_time_stand_first(key, tmp_path):
    """As they were given; the number is the same for the same records only."""
    told = ("--tester", "A. Person <b>", "--place", "Room 3")
    numbers = []
    for name, run in (
        ("one", good_run()),
        ("two", good_run()),
        ("three", good_run(environment={"release": "wallaby"})),
    ):
        assert certified(run, tmp_path / name, key, *told) == 0
        facts = json.loads((tmp_path / name / "certificate" / "certificate.json").read_text())
        numbers.append(facts["number"])
        assert (facts["tester"], facts["place"]) == ("A. Person <b>", "Room 3")
    page = (tmp_path / "one" / "certificate" / "certificate.html").read_text()

    assert numbers[0] == numbers[1] != numbers[2]
    assert numbers[0].startswith("cloud-1-20261001-")
    for text in (numbers[0], "A. Person &lt;b&gt;", "Room 3", "2026-10-01 22:30:00 UTC", "2026-10-01 22:50:00 UTC"):
        assert text in page.partition("Requirements")[0]


def test_each_server_has_a_page_with_its_serial_its_cards_and_their_loads(key, tmp_path):
    """Serial, management controller, slot, ECC, driver, and how long which load ran; serials are never broken."""
    place = CardIdentity("compute-0", "0000:84:00.0", "3", "all-cards", device="0", uuid=UUIDS[0])
    run = good_run()
    facts = {"product_serial": "CZJ34108KX", "bmc_version": "2.63"}
    hosts = [replace(host, facts={**host.facts, **facts}) if host.host == "compute-0" else host for host in run.hosts]
    hosts = [replace(host, cards=tuple(replace(card, ecc="Enabled") for card in host.cards)) for host in hosts]
    checks = [
        replace(each, cards=(place,), duration_s=75.4, started="2026-10-01T22:41:00.000+00:00")
        if (each.id, each.place) == ("cuda.bandwidth", "all-cards")
        else each
        for each in run.checks
    ]
    assert certified(replace(run, hosts=tuple(hosts), checks=tuple(checks)), tmp_path / "run", key) == 0
    page = (tmp_path / "run" / "certificate" / "certificate.html").read_text()
    servers = page.split('<section class="server">')[1:]

    assert [re.search("<h2>(.*)</h2>", server)[1] for server in servers] == [
        "Server compute-0",
        "Server compute-1",
        "Cards whose server is not known",
    ]
    for text in (
        '<span class="id">CZJ34108KX</span>',
        "2.63",
        '<span class="id">0324617000</span>',
        f'<span class="id">{UUIDS[0]}</span>',
        "slot 3",
        "Enabled",
        "driver 384.183",
        "22:41:00",
        "1 min 15 s",
    ):
        assert text in servers[0]
    assert UUIDS[2] in servers[2]
    assert ".id { white-space: nowrap" in page
    assert ".server { break-before: page }" in page
    loads = json.loads((tmp_path / "run" / "certificate" / "certificate.json").read_text())["loads"]
    assert ("cuda.bandwidth", "all-cards", 75.4) in [
        (load["check"], load["machine"], load["seconds"]) for load in loads
    ]


def test_records_of_before_give_a_certificate_that_does_not_know_what_they_lack(key, tmp_path):
    """No serial of the server, no ECC: both are said not to be known."""
    assert certified(good_run(), tmp_path / "run", key) == 0

    page = (tmp_path / "run" / "certificate" / "certificate.html").read_text()
    assert re.search(r"<dt>Serial</dt><dd><span class=\"id\">not known", page)
    assert re.search(r"<dt>ECC</dt><dd>not known", page)


def test_a_rejected_run_gives_a_signed_report_that_fails(key, tmp_path, capsys):
    """Exit code 1, the requirement and the check named."""
    bad = check("cuda.p2p", "all-cards", Verdict.FAILED, message="9.9 GB/s <script>alert(1)</script>")
    run = made_run(more=[*(check(name) for name in PLAIN), bad])

    assert certified(run, tmp_path / "run", key) == 1

    made = tmp_path / "run" / "certificate"
    assert verified(made, key) == 0
    assert "CUDA-3 not met: cuda.p2p [all-cards] failed: 9.9 GB/s" in capsys.readouterr().out
    assert "<script>" not in (made / "certificate.html").read_text()


WAIVED = "- {requirement: CUDA-3, reason: no peer access through this root complex%s}"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (", approved_by: A. Person, date: 2026-10-02", 0),
        ("", 64),
        (", approved_by: A. Person", 64),
        (", approved_by: A. Person, date: 2026-09-01", 64),
    ],
    ids=["complete", "nameless", "undated", "before the run"],
)
def test_a_blocker_is_waived_by_name_reason_and_date_only(more, code, key, tmp_path):
    """And then the certificate says PASS WITH DEVIATIONS, and who did it."""
    file = tmp_path / "deviations.yaml"
    file.write_text(WAIVED % more)
    run = made_run(more=[*(check(name) for name in PLAIN), check("cuda.p2p", "all-cards", Verdict.FAILED)])

    assert certified(run, tmp_path / "run", key, "--deviations", str(file)) == code

    if code == 0:
        page = (tmp_path / "run" / "certificate" / "certificate.html").read_text()
        assert "PASS WITH DEVIATIONS" in page
        assert "A. Person" in page
    else:
        assert not (tmp_path / "run" / "certificate").exists()


def test_a_server_that_is_not_known_is_not_certified(key, tmp_path, capsys):
    """Without its BIOS version nobody knows what was tested."""
    run = replace(good_run(), hosts=tuple(replace(host, facts={"kernel": "4.18"}) for host in good_run().hosts))

    assert certified(run, tmp_path / "run", key) == 1
    assert "compute-0: sys_vendor, product_name, bios_version not known" in capsys.readouterr().out


UNTESTED = {
    "lifecycle not asked for": ([name for name in PLAIN if not name.startswith("lifecycle")], {}, "LIFE-1"),
    "tenants not asked for": ([name for name in PLAIN if not name.startswith("tenants")], {}, "TENANT-1"),
    "neither of both": ([name for name in PLAIN if not name.startswith(("life", "ten"))], {}, "TENANT-1"),
    "a part of lifecycle": (PLAIN, {"lifecycle.moves.evacuate": "it disturbs others"}, "LIFE-1"),
    "no pair of cards": (
        [name for name in PLAIN if name != "cuda.p2p"],
        {"cuda.p2p": "no declared instance has two cards"},
        "CUDA-3",
    ),
    "a check of a server": (PLAIN, {"host.gpu.link_width": "not asked for"}, "GPU-2"),
}


def untested(names: list[str], left_out: dict[str, str]) -> Run:
    """A run that left out checks, or never heard of them."""
    run = made_run(more=[check(name) for name in names])
    return replace(run, end=replace(run.end, left_out=left_out))


@pytest.mark.parametrize("case", UNTESTED)
def test_a_blocker_that_nobody_looked_at_is_no_pass(case, key, tmp_path, capsys):
    """It is said to be not tested; a run that left it out shows nothing of it."""
    names, left_out, requirement = UNTESTED[case]

    assert certified(untested(names, left_out), tmp_path / "run", key) == 1

    facts = json.loads((tmp_path / "run" / "certificate" / "certificate.json").read_text())
    assert facts["requirements"][requirement]["status"] in ("not tested", "not shown")
    assert facts["decision"] in ("NOT COMPLETE", "FAIL")
    assert f"{requirement} not" in capsys.readouterr().out


def test_a_blocker_that_was_not_tested_may_be_waived_by_name(key, tmp_path):
    """Then it is a deviation, and the certificate names it."""
    file = tmp_path / "deviations.yaml"
    words = "reason: the owner moves no instances, approved_by: A. Person, date: 2026-10-02"
    file.write_text(f"- {{requirement: LIFE-1, {words}}}\n- {{requirement: TENANT-1, {words}}}\n")
    run = untested([name for name in PLAIN if not name.startswith(("life", "ten"))], {})

    assert certified(run, tmp_path / "run", key, "--deviations", str(file)) == 0

    facts = json.loads((tmp_path / "run" / "certificate" / "certificate.json").read_text())
    assert facts["decision"] == "PASS WITH DEVIATIONS"
    assert facts["requirements"]["LIFE-1"]["deviation"]["approved_by"] == "A. Person"


def test_what_was_left_out_at_one_place_and_looked_at_elsewhere_is_tested(key, tmp_path):
    """An instance with one card has no pairs; the other one has."""
    run = untested(list(PLAIN), {"cuda.p2p": "no declared instance has two cards"})

    assert certified(run, tmp_path / "run", key) == 0


def test_a_failed_check_of_no_requirement_fails_all_the_same(key, tmp_path):
    """Nothing slips through the catalogue."""
    run = made_run(more=[*(check(name) for name in PLAIN), check("new.check", "x", Verdict.FAILED)])

    assert certified(run, tmp_path / "run", key) == 1


def test_the_certificate_before_is_compared_if_it_is_genuine(genuine, key, tmp_path, capsys):
    """A driver, a card; a forged one is refused."""
    run = made_run(7, driver="390.12", more=[check(name) for name in PLAIN])

    assert certified(run, tmp_path / "run", key, "--previous", str(genuine)) == 0

    page = (tmp_path / "run" / "certificate" / "certificate.html").read_text()
    assert "drivers: 384.183, now 390.12" in page
    forged = Path(shutil.copytree(genuine, tmp_path / "forged"))
    (forged / "certificate.json").write_text("{}")
    assert certified(run, tmp_path / "other", key, "--previous", str(forged)) == 64
    assert "not as this key signed it" in capsys.readouterr().err


def test_keys_are_refused_that_others_may_read_or_that_stand_on_the_command_line(key, tmp_path, capsys):
    """And none is ever shown."""
    run = write(good_run(), tmp_path / "run")
    readable = tmp_path / "readable.pem"
    shutil.copy(key, readable)
    readable.chmod(0o644)
    rsa = tmp_path / "rsa.pem"
    rsa.touch(mode=0o600)
    rsa.write_bytes(generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    secret = key.read_text()

    for reference in (str(readable), secret, str(rsa), "env:NOT_THERE_AT_ALL", str(tmp_path / "none"), "/dev/null"):
        assert main(["certify", str(run), "--key", reference]) == 64

    told = capsys.readouterr()
    assert secret.splitlines()[1] not in told.out + told.err
    assert not (tmp_path / "run" / "certificate").exists()


@pytest.mark.parametrize("content", [True, False], ids=["the key itself", "its path"])
def test_a_secret_stores_variable_may_hold_the_key_or_its_path(content, key, tmp_path, monkeypatch):
    """As Jenkins gives secret texts and secret files."""
    monkeypatch.setenv("SIGNING_KEY", key.read_text() if content else str(key))

    assert certified(good_run(), tmp_path / "run", Path("env:SIGNING_KEY")) == 0


def test_a_certificate_is_never_written_over(genuine, key, capsys):
    """Not even by the same."""
    assert main(["certify", str(genuine.parent), "--key", str(key)]) == 64
    assert [name for name in os.listdir(genuine.parent) if name.startswith(".")] == []


def test_each_check_of_the_suites_proves_a_requirement():
    """A new layer needs a line in the catalogue, not only the last one that takes everything."""
    import re

    found = {
        name
        for file in (REPOSITORY / "suites").rglob("*.py")
        for name in re.findall(r"check\(\s*\"([a-z_.0-9]+)\"", file.read_text())
    }
    named = [requirement for requirement in catalogue() if "*" not in requirement.checks]

    assert len(found) > 50
    assert [name for name in sorted(found) if not any(requirement.covers(name) for requirement in named)] == []


def test_a_card_without_figures_is_certified_by_nobody(key, tmp_path, capsys):
    """An excuse of the cloud file accepts the run; the certificate needs somebody who waives the requirement."""
    excuse = ExcusedCards(1, "one card is in repair")
    run = good_run(declared_hosts={"compute-0": 2, "compute-1": 2}, excused_cards=(excuse,))

    assert run.outcome is Outcome.ACCEPTED
    assert certified(run, tmp_path / "run", key) == 1
    page = (tmp_path / "run" / "certificate" / "certificate.html").read_text()
    assert "Measured and certified: 3 of 4 cards" in page
    assert "one card is in repair" in page


def test_a_run_that_hides_cards_is_no_ground(key, tmp_path, capsys):
    """Its lines say accepted; the cards of its hosts say otherwise."""
    run = good_run(declared_hosts={"compute-0": 2, "compute-1": 2})

    assert run.outcome is Outcome.COULD_NOT_JUDGE
    assert certified(run, tmp_path / "run", key) == 69


def test_the_commit_stands_wherever_a_run_is_told(key, tmp_path, capsys):
    """Records, page, certificate and exports name the exact suite; no letter of it is lost."""
    commit = "9214801ce60ca65e6fbfd75cf33584cde037a79e"
    directory = tmp_path / "run"
    run = good_run(suite_commit=commit)
    assert certified(run, directory, key) == 0
    assert main(["page", str(directory)]) == 0

    told = {
        "certificate": (directory / "certificate" / "certificate.json").read_text(),
        "page of the certificate": (directory / "certificate" / "certificate.html").read_text(),
        "page": (directory / "acceptance.html").read_text(),
        "JUnit": junit(run).decode(),
        "CTRF": ctrf(run).decode(),
        "Prometheus": prometheus(run).decode(),
    }
    assert [name for name, text in told.items() if commit not in text] == []
