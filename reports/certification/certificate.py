"""A certificate's directory: made from a run, and verified against a public key."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner, SSlibKey

from access.errors import InputError
from judging.outcome import Outcome
from judging.records import Verdict, check_name
from reports.certification.attestation import Forged, opened, signed, statement
from reports.certification.deviations import Deviation
from reports.certification.document import REHEARSAL, Content, html, pdf
from reports.certification.previous import changes_since
from reports.certification.requirements import CATALOGUE, Decision, catalogue, catalogue_sha256, decide, judge
from reports.certification.subject import loads, subject_of
from reports.records import RECORDS
from reports.run import Run, text_of

FACTS = "certificate.json"
ATTESTATION = "attestation.dsse.json"
RESULTS = {
    Decision.PASS: "PASSED",
    Decision.PASS_WITH_DEVIATIONS: "WARNED",
    Decision.FAIL: "FAILED",
    Decision.NOT_COMPLETE: "FAILED",
}
"""Results of the predicate; it knows none for what was not tested, and that is no pass."""
MISTAKES_SHOWN = 100
FILE_LIMIT_BYTES = 4 * 1024**3
"""Records of a million figures are a tenth of it."""
ATTESTATION_LIMIT_BYTES = 64 * 1024 * 1024
"""A run of 12 hosts of 8 cards has an envelope of less than one megabyte."""


class CannotCertify(InputError):
    """This run is no ground for a certificate, whatever it says."""


def refuse(run: Run, *, rehearsal: bool) -> None:
    """Only whole, finished runs on real hardware that came to a verdict.

    Raises:
        CannotCertify: why not.
    """
    simulated = run.header.simulated or any(check.simulated for check in run.checks)
    if simulated and not rehearsal:
        raise CannotCertify("simulated hardware is never certified", remedy="--rehearsal shows what it would look like")
    if rehearsal and not simulated:
        raise CannotCertify("a run on real hardware is no rehearsal", remedy="leave --rehearsal out")
    if not run.header.whole:
        raise CannotCertify("only a part of the suites was run", remedy="pytest suites/ --cloud NAME")
    if run.end is None or run.unreadable_lines:
        raise CannotCertify("the run was cut off, or lines of its records cannot be read", remedy="run it again")
    if not run.is_chained:
        raise CannotCertify(
            "the lines of its records are not chained: an older suite wrote them, or their hashes were taken out",
            remedy="run it again",
        )
    if run.altered:
        raise CannotCertify(
            f"the records are not as the run wrote them: {', '.join(run.altered[:3])}", remedy="run it again"
        )
    if contradictions := (*run.contradictions, *altered_evidence(run)):
        raise CannotCertify(
            f"the records contradict themselves: {'; '.join(contradictions[:3])}",
            remedy="they were changed, or the run was disturbed: run it again",
        )
    if run.outcome is Outcome.COULD_NOT_JUDGE:
        raise CannotCertify(
            "the run could not judge the cloud", remedy="see its report, fix what it names, run it again"
        )


def altered_evidence(run: Run) -> list[str]:
    """Outputs whose hash is another one; only a whole output can be compared."""
    return [
        f"the output of {evidence.command[:80]!r} on {evidence.host} is not the one that was hashed"
        for check in run.checks
        for evidence in check.evidence
        if evidence.sha256
        and not evidence.truncated
        and hashlib.sha256(evidence.output.encode(errors="replace")).hexdigest() != evidence.sha256
    ]


def content_of(
    run: Run,
    deviations: Sequence[Deviation],
    *,
    rehearsal: bool,
    previous: tuple[str, dict[str, Any]] | None = None,
    tester: str = "",
    place: str = "",
) -> Content:
    """What the certificate of a run says."""
    judged = judge(run, catalogue(), deviations)
    decision = decide(judged)
    subject = subject_of(run)
    since = changes_since(previous[0], previous[1], subject, judged, decision) if previous else ()
    return Content(run, subject, judged, decision, rehearsal, catalogue_sha256(), tuple(since), tester, place)


def write(directory: Path, content: Content, signer: CryptoSigner) -> None:
    """Write all files, wholly or not at all.

    Raises:
        InputError: the directory is there already.
    """
    if directory.exists():
        raise InputError(
            f"{directory} is there already: a certificate is never written over", remedy="name another one"
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        for name, data in files_of(content, signer).items():
            (made / name).write_bytes(data)
        made.chmod(0o755)
        made.rename(directory)
    except BaseException:
        shutil.rmtree(made)
        raise


def files_of(content: Content, signer: CryptoSigner) -> dict[str, bytes]:
    """All files by name."""
    page = html(content)
    run = content.run
    files = {
        "certificate.html": page.encode(errors="replace"),
        "certificate.pdf": pdf(page, content),
        FACTS: _json(_facts(content)),
        "requirements.yaml": CATALOGUE.read_bytes(),
        RECORDS: text_of(run),
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    payload = statement(
        digests, RESULTS[content.decision], _tests(content), {"requirements.yaml": digests["requirements.yaml"]}
    )
    return {**files, ATTESTATION: signed(payload, signer)}


def _facts(content: Content) -> dict[str, Any]:
    """The certificate for programs."""
    return {
        **({"rehearsal": REHEARSAL} if content.rehearsal else {}),
        "number": content.number,
        "decision": content.decision,
        "tester": content.tester,
        "place": content.place,
        "started": content.run.header.started,
        "date": content.ended,
        "subject": content.subject,
        "requirements": {
            each.requirement.id: {
                "status": each.status,
                "blocker": each.requirement.blocker,
                "reasons": each.reasons,
                "deviation": each.deviation.model_dump(mode="json") if each.deviation else None,
            }
            for each in content.judged
        },
        "loads": [asdict(load) for load in loads(content.run)],
        "since_previous": content.previous,
    }


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode(errors="replace")


def _tests(content: Content) -> dict[str, list[str]]:
    """Checks by the predicate's fields; a rehearsal says so in each name: statements travel alone."""
    fields: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    waived = {check for each in content.judged if each.is_open and not each.fails for check in each.checks}
    for check in content.run.checks:
        name = check_name(check.id, check.place)
        bad = "warnedTests" if check.id in waived else "failedTests"
        field = "passedTests" if check.verdict is Verdict.PASSED else bad
        fields[field].append(f"{name} ({REHEARSAL})" if content.rehearsal else name)
    return {field: sorted(names) for field, names in fields.items()}


def verify(directory: Path, key: SSlibKey) -> tuple[dict[str, Any] | None, list[str]]:
    """The statement (None when forged) and everything that is not as it was signed.

    Raises:
        InputError: there is no such folder, or no certificate in it.
    """
    if not directory.is_dir():
        raise InputError(f"there is no folder {directory}", remedy="name the folder that `certify` wrote")
    if not any(entry.name in (ATTESTATION, FACTS) for entry in os.scandir(directory)):
        raise InputError(f"{directory} holds no certificate", remedy="name the folder that `certify` wrote")
    try:
        found = opened(read_file(directory / ATTESTATION, ATTESTATION_LIMIT_BYTES), key)
    except OSError as error:
        return None, [f"{ATTESTATION}: {error.strerror or error}"]
    except Forged as error:
        return None, [f"{ATTESTATION}: {error}"]
    found_mistakes = list(islice(_differences(directory, found), MISTAKES_SHOWN + 1))
    more = ["and more"] if len(found_mistakes) > MISTAKES_SHOWN else []
    return found, [*found_mistakes[:MISTAKES_SHOWN], *more]


def read_file(path: Path, limit_bytes: int = FILE_LIMIT_BYTES) -> bytes:
    """A file of a stranger's folder: a link, a device, a pipe or a huge file is none.

    Raises:
        OSError: it cannot be read.
        Forged: it is no regular file of a plausible size.
    """
    with _opened(path, limit_bytes) as stream:
        return stream.read(limit_bytes)


def _opened(path: Path, limit_bytes: int) -> BufferedReader:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    what = "is no file" if not stat.S_ISREG(found.st_mode) else f"is larger than {limit_bytes} bytes"
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit_bytes:
        os.close(descriptor)
        raise Forged(what)
    return os.fdopen(descriptor, "rb")


def _differences(directory: Path, found: dict[str, Any]) -> Iterator[str]:
    wanted = {str(subject.get("name", "")): str(subject["digest"].get("sha256", "")) for subject in found["subject"]}
    there = {entry.name for entry in os.scandir(directory)} - {ATTESTATION}
    for name in sorted(wanted.keys() - there):
        yield f"{name}: is missing"
    for name in sorted(there - wanted.keys()):
        yield f"{name}: was not signed"
    for name in sorted(there & wanted.keys()):
        try:
            if _sha256(directory / name) != wanted[name]:
                yield f"{name}: was changed"
        except Forged as error:
            yield f"{name}: {error}"
        except OSError as error:
            is_link = error.errno == errno.ELOOP
            yield f"{name}: {'is no file' if is_link else error.strerror or error}"


def _sha256(path: Path) -> str:
    with _opened(path, FILE_LIMIT_BYTES) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
