"""The other ways to get it: a bundle without internet, a container, a system that is no Debian, a site, a release."""

from __future__ import annotations

import datetime
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from installed import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))

import make_site
import release

SETUP = REPOSITORY / "scripts" / "setup.sh"
LIMIT_S = 300
SMALL = "iniconfig"
"""A package without dependencies stands for the seventy of the suite, which are downloaded in the same way."""


def run(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S, **more)  # type: ignore[call-overload, no-any-return]


# -- the bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of our wheel and one more package, unpacked."""
    folder = tmp_path_factory.mktemp("bundle")
    pins = (REPOSITORY / "requirements" / "suite.txt").read_text(encoding="utf-8")
    (folder / "pins.txt").write_text(re.findall(rf"^{SMALL}==(?:.*\\\n)+.*\n", pins, re.MULTILINE)[0], encoding="utf-8")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("pages", encoding="utf-8")
    script = REPOSITORY / "scripts" / "make_bundle.py"
    options = ["--requirements", folder / "pins.txt", "--out", folder / "dist", "--site", folder / "site"]
    done = run(sys.executable, script, *options)
    assert done.returncode == 0, done.stderr
    with tarfile.open(done.stdout.split()[-1]) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    return next((folder / "unpacked").iterdir())


def without_network(*words: object, home: Path) -> subprocess.CompletedProcess[str]:
    """In a network that has not even loopback, as another user's home."""
    return run("unshare", "--user", "--map-root-user", "--net", "env", f"HOME={home}", *words)


def test_a_bundle_installs_without_a_network(bundle: Path, tmp_path: Path) -> None:
    """Wheels by hash, documentation beside them, and the command."""
    done = without_network(bundle / "install.sh", tmp_path / "made", home=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("gpu-acceptance ")
    assert (tmp_path / "made" / "bin" / "gpu-acceptance").exists()
    assert (bundle / "docs" / "index.html").read_text(encoding="utf-8") == "pages"
    assert list(bundle.glob(f"wheels/{SMALL}-*.whl"))


def test_a_damaged_bundle_is_not_installed(bundle: Path, tmp_path: Path) -> None:
    """One byte more in one wheel."""
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    with next(copy.glob(f"wheels/{SMALL}-*.whl")).open("ab") as wheel:
        wheel.write(b"x")

    done = without_network(copy / "install.sh", tmp_path / "made", home=tmp_path)

    assert done.returncode == 1
    assert "the bundle is damaged" in done.stderr
    assert not (tmp_path / "made").exists()


def test_a_wheel_of_another_hash_is_refused(bundle: Path, tmp_path: Path) -> None:
    """Also by somebody who wrote new sums: pip compares with the pins."""
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    wheel = next(copy.glob("wheels/gpu_cloud_acceptance-*.whl"))
    with wheel.open("ab") as opened:
        opened.write(b"x")
    listed = run("sha256sum", wheel.relative_to(copy), cwd=copy).stdout
    kept = [line for line in (copy / "SHA256SUMS").read_text().splitlines() if "gpu_cloud" not in line]
    (copy / "SHA256SUMS").write_text("\n".join([*kept, listed]), encoding="utf-8")

    done = without_network(copy / "install.sh", tmp_path / "made", home=tmp_path)

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_a_bundle_for_another_python_says_so(bundle: Path, tmp_path: Path) -> None:
    """Its wheels would not fit."""
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / "pythons").write_text("3.99\n", encoding="utf-8")
    kept = [line for line in (copy / "SHA256SUMS").read_text().splitlines() if not line.endswith("  pythons")]
    (copy / "SHA256SUMS").write_text("\n".join(kept) + "\n", encoding="utf-8")

    done = without_network(copy / "install.sh", tmp_path / "made", home=tmp_path)

    assert done.returncode == 1
    assert "made for Python 3.99" in done.stderr


# -- pins


@pytest.mark.parametrize("file", sorted((REPOSITORY / "requirements").glob("*.txt")), ids=lambda file: file.name)
def test_every_pin_has_hashes_and_no_host(file: Path) -> None:
    """What is installed is what was tested, from whatever registry."""
    text = file.read_text(encoding="utf-8")
    entries = re.findall(r"^[a-z0-9][a-z0-9._-]*(?:\[[a-z,-]+\])?==[^\n]*(?:\n    --hash[^\n]*)*", text, re.MULTILINE)

    assert entries
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert "://" not in text
    assert "--index" not in text


# -- the container


def _steps() -> list[tuple[str, str]]:
    """Instructions of the Containerfile with their words."""
    text = re.sub(r"\\\n", " ", (REPOSITORY / "Containerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_container_s_steps_find_what_they_name() -> None:
    """Files that are copied are there, shell lines are shell, and nobody is root at the end."""
    for instruction, words in _steps():
        if instruction == "COPY" and not words.startswith("--from"):
            assert all((REPOSITORY / source).exists() for source in words.split()[:-1]), words
        if instruction == "RUN":
            assert run("sh", "-n", "-c", words).returncode == 0, words
    names = [instruction for instruction, _ in _steps()]
    users = [words for instruction, words in _steps() if instruction == "USER"]
    assert users[-1] not in ("root", "0")
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert ("ENTRYPOINT", '["gpu-acceptance"]') in _steps()


def test_the_container_installs_by_hash() -> None:
    """The suite's pins, then our wheel without asking for more."""
    (command,) = [words for instruction, words in _steps() if instruction == "RUN" and "--require-hashes" in words]
    parts = [shlex.split(part) for part in command.split("&&")]

    assert "--require-hashes" in parts[0]
    assert {"--no-deps", "--no-index"} <= set(parts[1])


def test_the_container_gets_no_secrets() -> None:
    """Cloud files of one's own, runs and labs stay out of the build."""
    for name in (".containerignore", ".dockerignore"):
        assert {".lab", ".runs", "clouds/*.local.yaml"} <= set((REPOSITORY / name).read_text().splitlines())


# -- the machine that runs the suite


def setup_says(tmp_path: Path, release_file: str, command: str) -> subprocess.CompletedProcess[str]:
    """A function of setup.sh on a system of that /etc/os-release."""
    (tmp_path / "os-release").write_text(release_file, encoding="utf-8")
    program = f". {SETUP}; FAMILY=$(family); {command}"
    return run("bash", "-c", program, env={"PATH": "/usr/bin:/bin", "OS_RELEASE": str(tmp_path / "os-release")})


SYSTEMS = {
    "debian": ("ID=debian\nVERSION_ID=12\n", "debian"),
    "ubuntu": ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
    "mint": ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
    "rhel": ('ID="rhel"\nID_LIKE="fedora"\n', "redhat"),
    "rocky": ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "redhat"),
    "alma": ('ID="almalinux"\nID_LIKE="rhel centos fedora"\n', "redhat"),
    "centos": ('ID="centos"\nID_LIKE="rhel fedora"\n', "redhat"),
    "fedora": ("ID=fedora\n", "redhat"),
    "suse": ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "other"),
    "nothing": ("", "other"),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_setup_knows_the_family_of_a_system(tmp_path: Path, system: str) -> None:
    """By its own words, also where it is a relative."""
    text, family = SYSTEMS[system]

    assert setup_says(tmp_path, text, 'echo "$FAMILY"').stdout.strip() == family


def test_on_rocky_it_asks_for_no_debian_package(tmp_path: Path) -> None:
    """And tells what to type, with what that system has."""
    rocky = SYSTEMS["rocky"][0]

    told = setup_says(tmp_path, rocky, 'install_command "${SUITE_REDHAT[@]}"').stdout
    assert told.startswith("dnf install -y ")
    assert not {"chromium", "postgresql", "mmdebstrap"} & set(told.split())


@pytest.mark.parametrize("system", ["rocky", "suse"])
def test_the_lab_is_refused_where_it_cannot_run(tmp_path: Path, system: str) -> None:
    """Before anything is installed, with the command that does work."""
    done = setup_says(tmp_path, SYSTEMS[system][0], "WHAT=all; main")

    assert done.returncode == 1
    assert "make suite" in done.stderr


def test_an_old_python_is_told_with_the_package_that_helps(tmp_path: Path) -> None:
    """RHEL 9's python3 is 3.9."""
    (tmp_path / "python3").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.18\nexit 1\n')
    (tmp_path / "python3").chmod(0o755)

    done = setup_says(tmp_path, SYSTEMS["rocky"][0], f"PYTHON={tmp_path}/python3; check_python")

    assert done.returncode == 1
    assert "dnf install -y python3.12" in done.stderr
    assert "Python 3.9.18" in done.stderr


# -- the site


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's sources."""
    folder = tmp_path_factory.mktemp("pages")
    make_site.lay_out(folder)
    return folder


def test_every_link_of_the_site_leads_somewhere(pages: Path) -> None:
    """mkdocs refuses others, too: it is no part of this environment."""
    broken = [
        (str(page.relative_to(pages)), target)
        for page in pages.rglob("*.md")
        for target, _ in make_site.LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert not broken
    assert len(list(pages.rglob("*.md"))) > 150


def test_every_page_of_the_menu_is_there(pages: Path) -> None:
    """And every page of docs/ for users is in the menu."""
    menu = set(re.findall(r"([\w/-]+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    listed = {str(page.relative_to(pages)) for page in pages.rglob("*.md")}

    assert menu <= listed
    assert {name for name in listed - menu if not name.startswith(("symptoms/", "decisions/"))} == set()


def test_each_symptom_has_a_page_of_its_own(pages: Path) -> None:
    """What people see is its title; cause and remedy follow, and the check leads to its entry."""
    text = (REPOSITORY / "docs" / "symptoms.md").read_text(encoding="utf-8")
    made = list((pages / "symptoms").glob("*.md"))
    entry = next(page.read_text() for page in made if "No ACPI DMAR table" in page.read_text().splitlines()[0])

    assert len(made) == text.count("\n## ")
    assert "**Cause:**" in entry
    assert "**What to do:**" in entry
    assert re.search(r"\[`host\.[a-z_.]+`\]\(\.\./checks\.md#host", entry)


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "a | b `c` *d* [e](f)", "##", "…"])
def test_a_symptom_is_no_markup(title: str) -> None:
    """Messages of programs hold every character."""
    (symptom,) = make_site.symptoms(f"# S\n\n## {title}\n\n- **Cause:** x\n")
    heading = make_site.page_of(symptom, set()).splitlines()[0]

    assert not re.search(r"(?<!\\)[<>|`*\[\]]", heading)
    assert re.fullmatch(r"[a-z0-9-]+", symptom.slug)


# -- a release

PYPROJECT = '[project]\nname = "x"\nversion = "7.1.0"\n'
CHANGES = "# Changelog\n\n## Unreleased\n\n### Added\n- Something.\n\n## 7.1.0 - 2026-01-01\n\n- First.\n"
DAY = datetime.date(2026, 12, 1)


def test_a_release_moves_the_lines_below_its_version() -> None:
    """Version and day; Unreleased is empty again."""
    pyproject, changelog = release.changed(PYPROJECT, CHANGES, "7.2.0", DAY)

    assert 'version = "7.2.0"' in pyproject
    assert "## Unreleased\n\n## 7.2.0 - 2026-12-01\n\n### Added\n- Something.\n" in changelog
    assert "## 7.1.0 - 2026-01-01" in changelog


@pytest.mark.parametrize(
    ("version", "changes", "why"),
    [
        ("7.1.0", CHANGES, "released already"),
        ("7.0.9", CHANGES, "older"),
        ("1.0", CHANGES, "no version"),
        ("v7.2.0", CHANGES, "no version"),
        ("7.2.0", CHANGES.replace("### Added\n- Something.\n", ""), "nothing to release"),
        ("7.2.0", "# Changelog\n", "nothing to release"),
    ],
)
def test_what_is_no_release_is_refused(version: str, changes: str, why: str) -> None:
    """Before a file is written."""
    with pytest.raises(release.NotReleasable, match=why):
        release.changed(PYPROJECT, changes, version, DAY)


def test_a_tagged_commit_is_the_version_that_it_declares() -> None:
    """A certificate names the version: two of one name would tell nothing."""
    tags = run("git", "tag", "--points-at", "HEAD", "--list", "v*", cwd=REPOSITORY).stdout.split()
    declared = release.LINE.search((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))

    assert declared is not None
    assert set(tags) <= {f"v{declared['version']}"}
