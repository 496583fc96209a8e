"""Nova's processes: which one is the service, which files it reads, and that they merge as oslo.config merges them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from access.errors import ParseError
from access.local_host import LocalHost
from probes import nova_conf, nova_process
from probes.nova_conf import NovaConf
from probes.nova_process import NovaProcess, Step, chosen, parse_processes, steps

PYTHON = Path(__file__).parents[2] / ".lab" / "cache" / "openstack" / "bin" / "python"
OSLO = """
import json, os, sys
from oslo_config import cfg

def old(name, group="DEFAULT"):
    return cfg.DeprecatedOpt(name, group=group)

def answer(case):
    os.environ["HOME"] = case["home"]
    conf = cfg.ConfigOpts()
    whitelists = [old("passthrough_whitelist", "pci"), old("pci_passthrough_whitelist")]
    conf.register_opts([cfg.MultiStrOpt("alias", default=[], deprecated_opts=[old("pci_alias")]),
                        cfg.MultiStrOpt("device_spec", default=[], deprecated_opts=whitelists),
                        cfg.BoolOpt("report_in_placement", default=False)], group="pci")
    filters = cfg.ListOpt("enabled_filters", deprecated_opts=[old("scheduler_default_filters")])
    conf.register_opts([filters], group="filter_scheduler")
    conf.register_opts([cfg.StrOpt("x")])
    try:
        conf(case["words"], project="nova", prog="nova-compute")
        return {"alias": conf.pci.alias, "device_spec": conf.pci.device_spec,
                "report": conf.pci.report_in_placement, "filters": conf.filter_scheduler.enabled_filters}
    except cfg.Error:
        return None

print(json.dumps([answer(case) for case in json.load(sys.stdin)]))
"""
LINES = (
    "[pci]", "[PCI]", "[DEFAULT]", "[default]", "[filter_scheduler]", "[Filter_Scheduler]", "", "# comment", "; c",
    'alias = {"name": "N"}', 'alias={"name":"N",\n  "v": 1}', "alias: '{\"name\": \"N\"}'", 'pci_alias = {"name": "N"}',
    'device_spec = {"n": "N"}', 'device_spec = [{"n": "N"}, {"n": "z"}]', 'passthrough_whitelist = {"n": "N"}',
    'pci_passthrough_whitelist={"n":"N"}', "report_in_placement = true", "report_in_placement=False",
    "report_in_placement = yes", "report_in_placement = TRUE", "report_in_placement = no", "enabled_filters = AN,B",
    "enabled_filters=AN, B ,", "enabled_filters = A,\n  BN", "enabled_filters =", "scheduler_default_filters = CN",
    "other : value", "neither", "[broken",
)  # fmt: skip
PLACES = (".nova/nova.conf", ".nova/nova-compute.conf", ".nova/nova.conf.d/10.conf", ".nova/nova.conf.d/9.conf",
    ".nova/nova.conf.d/A.conf", ".nova/nova-compute.conf.d/z.conf", "nova.conf", "a.conf", "b.conf", "d/1.conf",
    "d/2.conf", "e/x.conf")  # fmt: skip
A, B, C = (json.dumps({"name": name}) for name in "abc")
SETS: dict[str, tuple[dict[str, str], list[str]]] = {
    "default files and directories": (
        {
            ".nova/nova.conf": f"[pci]\nalias = {A}\nreport_in_placement = true\n",
            ".nova/nova-compute.conf": "[pci]\nreport_in_placement = false\n",
            ".nova/nova.conf.d/20.conf": f"[pci]\nalias = {C}\n",
            ".nova/nova.conf.d/10.conf": f"[pci]\nalias = {B}\n[filter_scheduler]\nenabled_filters = A,B\n",
            ".nova/nova.conf.d/ignored.txt": "[filter_scheduler]\nenabled_filters = Z\n",
            ".nova/nova.conf.d/.hidden.conf": "[filter_scheduler]\nenabled_filters = Z\n",
        },
        [],
    ),
    "a blank file and a directory": (
        {
            ".nova/nova.conf": "",
            ".nova/nova.conf.d/01-nova.conf": f"[pci]\nalias = {A}\n[filter_scheduler]\nenabled_filters = A,B\n",
            ".nova/nova.conf.d/03-gpu.conf": f"[PCI]\ndevice_spec = {B}\nreport_in_placement = True\n",
        },
        [],
    ),
    "files of the command line replace the default ones, not the directories": (
        {
            ".nova/nova.conf": f"[pci]\nalias = {A}\n",
            ".nova/nova.conf.d/1.conf": f"[pci]\nalias = {B}\n[filter_scheduler]\nenabled_filters = FROM_DIRECTORY\n",
            "own.conf": f"[pci]\nalias = {C}\n[filter_scheduler]\nenabled_filters = FROM_FILE\n",
        },
        ["--config-file", "own.conf"],
    ),
    "the order of the command line": (
        {
            "d/1.conf": f"[pci]\nalias = {A}\nreport_in_placement = true\n",
            "first.conf": f"[pci]\nalias = {B}\nreport_in_placement = false\n",
            "last.conf": f"[DEFAULT]\npci_alias = {C}\n[filter_scheduler]\nenabled_filters = L\n",
        },
        ["--config-file=first.conf", "--config-dir", "d", "--config-file", "last.conf", "--config-file", "first.conf"],
    ),
    "an old name in a later file hides the new one": (
        {
            "1.conf": f"[filter_scheduler]\nenabled_filters = NEW\n[pci]\npassthrough_whitelist = {A}\n",
            "2.conf": f"[DEFAULT]\nscheduler_default_filters = OLD\n[pci]\ndevice_spec = {B}\n",
        },
        ["--config-file", "1.conf", "--config-file", "2.conf"],
    ),
    "an empty list in a later file": (
        {
            "1.conf": "[filter_scheduler]\nenabled_filters = A,B\n",
            "2.conf": "[filter_scheduler]\nenabled_filters =\n",
        },
        ["--config-file", "1.conf", "--config-file", "2.conf"],
    ),
}


def _process(*arguments: str, pid: int = 7, **others: object) -> NovaProcess:
    made = {"variables": {}, "is_anchor": False, "is_inside": False, **others}
    return NovaProcess(pid, datetime.fromtimestamp(pid, UTC), arguments, **made)  # type: ignore[arg-type]


def _oslo(cases: list[dict[str, object]]) -> list[Any]:
    """What oslo.config makes of each case; None where it refuses."""
    command = [str(PYTHON), "-c", OSLO]
    variables = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True, env=variables)
    answers: list[Any] = json.loads(done.stdout)
    return answers


def _ours(home: Path, words: list[str]) -> NovaConf:
    process = _process("/usr/bin/python3", "/usr/bin/nova-compute", *words, variables={"HOME": str(home)})
    calls = "\n".join(shlex.join((step.kind, *step.paths)) for step in steps(process, "nova-compute"))
    shown = LocalHost("here").run(f"{nova_process.SHOW}\n{calls}\necho end")
    read = nova_process.parse_files(shown.stdout)
    assert all(file.path.startswith(str(home)) for file in read.files)
    return nova_conf.parse_files((file.path, file.text) for file in read.files)


def _require_same(conf: NovaConf, expected: dict[str, Any]) -> None:
    specs = [json.loads(text) for text in expected["device_spec"]]
    listed = [entry for spec in specs for entry in (spec if isinstance(spec, list) else [spec])]

    assert list(conf.aliases) == [json.loads(text) for text in expected["alias"]]
    assert list(conf.device_specs) == listed
    assert conf.is_on("pci", "report_in_placement") == expected["report"]
    filters = expected["filters"]
    assert conf.filters == (None if filters is None else tuple(name for name in map(str.strip, filters) if name))


def _written(home: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8")


def _below(home: Path, word: str) -> str:
    """The word with its path below a folder."""
    if word.startswith("--"):
        return word.replace("=", f"={home}/")
    return f"{home}/{word}"


@pytest.mark.skipif(not PYTHON.exists(), reason="the lab's environment is made by its first start")
@pytest.mark.parametrize("name", SETS)
def test_files_merge_as_oslo_config_merges_them(name: str, tmp_path: Path):
    """Aliases, device specs, a switch and the filters are what oslo.config itself makes of the same files."""
    files, arguments = SETS[name]
    _written(tmp_path, files)
    words = [_below(tmp_path, word) for word in arguments]

    (expected,) = _oslo([{"home": str(tmp_path), "words": words}])
    _require_same(_ours(tmp_path, words), expected)


@pytest.mark.skipif(not PYTHON.exists(), reason="the lab's environment is made by its first start")
def test_any_files_merge_as_oslo_config_merges_them(tmp_path: Path):
    """Random lines in random files, named in any order or not at all; what one refuses the other refuses, too."""
    random = Random(20)  # noqa: S311  nothing is kept secret by it
    cases = []
    for number in range(60):
        home = tmp_path / str(number)
        files = {place: "\n".join(_lines(random)) for place in PLACES if random.random() < 0.6}
        _written(home, {**files, "d/3.conf": "", "e/y.conf": ""})
        named = [place for place in ("a.conf", "b.conf") if place in files]
        words = [_named(random, home, named) for _ in range(random.randrange(4))]
        cases.append({"home": str(home), "words": words})

    refused = 0
    for case, expected in zip(cases, _oslo(cases), strict=True):
        if expected is None:
            refused += 1
            with pytest.raises(ParseError):
                _ours(Path(str(case["home"])), list(case["words"]))
        else:
            _require_same(_ours(Path(str(case["home"])), list(case["words"])), expected)
    assert 0 < refused < 50


def _lines(random: Random) -> list[str]:
    drawn = [random.choice(LINES) for _ in range(random.randrange(8))]
    return ["[pci]", *(line.replace("N", str(random.randrange(99))) for line in drawn)]


def _named(random: Random, home: Path, files: list[str]) -> str:
    if files and random.random() < 0.6:
        return f"--config-file={home / random.choice(files)}"
    return f"--config-dir={home / random.choice(['d', 'e'])}"


def test_an_option_knows_its_file_and_line():
    """The last snippet holds, and says where it stands."""
    conf = nova_conf.parse_files(
        [("/a/01.conf", "[pci]\nreport_in_placement = true\n"), ("/a/02.conf", "\n[pci]\nreport_in_placement = no\n")]
    )
    option = conf.option("pci", "report_in_placement")

    assert option is not None
    assert (option.file, option.line_number, option.value) == ("/a/02.conf", 3, "no")


def test_a_refused_line_names_its_file():
    """Of several files the error names the one that has the line."""
    with pytest.raises(ParseError) as error:
        nova_conf.parse_files([("/a/01.conf", "[pci]\nx = 1\n"), ("/a/02.conf", "[pci\n")])

    assert (error.value.tool, error.value.line_number) == ("/a/02.conf", 1)


@pytest.mark.parametrize(
    ("service", "arguments"),
    [
        ("nova-compute", ("/usr/bin/python3", "/usr/bin/nova-compute", "--config-file", "/etc/nova/nova.conf")),
        ("nova-compute", ("/var/lib/kolla/venv/bin/python3", "/var/lib/kolla/venv/bin/nova-compute")),
        (
            "nova-compute",
            ("/openstack/venvs/nova-31.0.0/bin/python", "-s", "/openstack/venvs/nova-31.0.0/bin/nova-compute"),
        ),
        (
            "nova-scheduler",
            ("nova-scheduler: master process [/usr/bin/nova-scheduler --config-file /etc/nova/x.conf]",),
        ),
        ("nova-api", ("(wsgi:nova-api)    -k", "start")),
        ("nova-api", ("nova_api_wsgi   ", "-DFOREGROUND")),
        ("nova-api", ("uwsgi", "/etc/nova/nova-api-uwsgi.ini")),
        ("nova-api", ("nova-api: uWSGI master",)),
        ("nova-api", ("nova-api-osapi: uWSGI worker 2",)),
        ("nova-api", ("/openstack/venvs/uwsgi-31/bin/uwsgi", "--ini", "/etc/uwsgi/nova-api-os-compute.ini")),
        ("nova-api", ("/usr/bin/uwsgi_python3", "--http-socket", ":8774", "--wsgi-file", "/usr/bin/nova-api-wsgi")),
        ("nova-api", ("/usr/bin/python3", "/usr/bin/nova-api")),
    ],
)
def test_a_service_is_found_under_its_names(service: str, arguments: tuple[str, ...]):
    """Units, virtual environments, web servers: the command line tells whose process it is."""
    assert chosen(service, (_process(*arguments),)) is not None


@pytest.mark.parametrize(
    ("service", "arguments"),
    [
        ("nova-api", ("/usr/bin/python3", "/usr/bin/nova-api-metadata")),
        ("nova-api", ("uwsgi", "/etc/nova/nova-api-metadata-uwsgi.ini")),
        ("nova-api", ("nova_metadata_wsgi", "-DFOREGROUND")),
        ("nova-api", ("nova-metadata: uWSGI master",)),
        ("nova-api", ("nova-api-metadata: uWSGI worker 1",)),
        ("nova-compute", ("vim", "-R", "-n", "-c", "/x/nova-compute")),
        ("nova-compute", ("/bin/sh", "-c", "tail -f /var/log/nova-compute.log")),
        ("nova-conductor", ("nova-scheduler: master process [/usr/bin/nova-scheduler]",)),
    ],
)
def test_others_are_not_taken_for_it(service: str, arguments: tuple[str, ...]):
    """The metadata service, editors and shells are no process of the service."""
    assert chosen(service, (_process(*arguments),)) is None


def test_of_several_the_container_s_own_oldest_one_is_taken():
    """Workers are younger than their service; another container's process of the same name is not this one."""
    words = ("/usr/bin/python3", "/usr/bin/nova-conductor")
    other, anchor = _process(*words, pid=1), _process("dumb-init", pid=5, is_anchor=True, is_inside=True)
    service, worker = _process(*words, pid=6, is_inside=True), _process(*words, pid=9, is_inside=True)

    assert chosen("nova-conductor", (anchor, worker, other, service)) == service


def test_a_web_server_without_a_name_is_the_api_of_its_container():
    """httpd in the container nova_api says nowhere that it is nova-api."""
    anchor = _process("/usr/sbin/httpd", "-DFOREGROUND", is_anchor=True, is_inside=True)

    assert chosen("nova-api", (anchor,)) == anchor
    assert chosen("nova-compute", (anchor,)) is None
    assert Step("first_file", ("/etc/nova/nova.conf",)) in steps(anchor, "nova-api")


def test_a_wsgi_application_is_told_its_files_by_variables():
    """Nova's own rule: a directory, and names divided by semicolons; the paste file is none of oslo.config's."""
    variables = {"OS_NOVA_CONFIG_DIR": "/etc/nova-api", "OS_NOVA_CONFIG_FILES": "api-paste.ini;nova.conf;/x/own.conf"}
    process = _process("uwsgi", "/etc/nova/nova-api-uwsgi.ini", variables=variables)

    files = [step.paths for step in steps(process, "nova-api") if step.kind == "first_file"]
    assert files == [("/etc/nova-api/nova.conf",), ("/x/own.conf",)]


def test_uwsgi_passes_options_on():
    """Debian's start script hands oslo.config's options over with --pyargv."""
    words = "--config-file=/etc/nova/nova.conf --config-dir=/etc/nova/nova.conf.d"
    found = steps(_process("uwsgi_python3", "--ini", "/etc/nova/nova-api-uwsgi.ini", "--pyargv", words), "nova-api")

    assert found == (Step("file", ("/etc/nova/nova.conf",)), Step("directory", ("/etc/nova/nova.conf.d",)))


def test_what_uwsgi_is_told_in_its_ini_file_counts(tmp_path: Path):
    """Options and variables of the ini file are those of the application; other variables are not read."""
    ini = tmp_path / "nova-api-uwsgi.ini"
    ini.write_text(
        "[uwsgi]\npyargv = --config-dir /d\nenv = OS_NOVA_CONFIG_DIR=/e\nenv = OS_PASSWORD=xyzzy\n", encoding="utf-8"
    )
    program = tmp_path / "uwsgi"
    program.write_text("#!/bin/sh\nread -r line\n", encoding="utf-8")
    program.chmod(0o755)
    with subprocess.Popen([program, "--ini", str(ini)], stdin=subprocess.PIPE) as running:
        try:
            found = nova_process.find(_AsRoot(LocalHost("here")), "nova-api", anchor=f"echo {running.pid}")
        finally:
            running.stdin.close()  # type: ignore[union-attr]

    assert found is not None
    assert found.arguments[-2:] == ("--pyargv", "--config-dir /d")
    assert found.variables["OS_NOVA_CONFIG_DIR"] == "/e"
    assert "xyzzy" not in str(found)
    assert [step.paths for step in steps(found, "nova-api")][-1] == ("/d",)


def test_the_title_of_a_threaded_service_keeps_its_options():
    """cotyledon's title replaces the command line and quotes it."""
    title = "nova-scheduler: master process [/usr/bin/nova-scheduler --config-file /etc/nova/nova.conf --config-dir /d]"

    assert steps(_process(title), "nova-scheduler") == (
        Step("file", ("/etc/nova/nova.conf",)),
        Step("directory", ("/d",)),
    )


def test_a_snap_looks_into_its_own_directories():
    """oslo.config's last places are those of the snap."""
    variables = {"HOME": "/root", "SNAP": "/snap/x/1", "SNAP_COMMON": "/var/snap/x/common"}
    found = steps(_process("/snap/x/1/bin/nova-compute", variables=variables), "nova-compute")

    assert found[1].paths[-2:] == ("/var/snap/x/common/etc/nova/nova.conf", "/snap/x/1/etc/nova/nova.conf")


def test_the_environment_overrides_single_values():
    """oslo.config takes OS_GROUP__OPTION before any file."""
    process = _process("nova-scheduler", variables={"OS_FILTER_SCHEDULER__ENABLED_FILTERS": "A,B", "HOME": "/root"})
    files = [("/etc/nova/nova.conf", "[filter_scheduler]\nenabled_filters = C\n"), *nova_process.overrides(process)]

    assert nova_conf.parse_files(files).filters == ("A", "B")


def test_a_cut_answer_is_no_process():
    """Without its end an answer may lack the process that counts."""
    with pytest.raises(ParseError):
        parse_processes("process 7 inside host 12\nargument nova-compute\n")


def test_this_machine_s_process_is_found(tmp_path: Path):
    """A real process with the command line of nova-compute is found, and its files are read with secrets hidden."""
    conf = tmp_path / "own.conf"
    conf.write_text("[database]\nconnection = mysql://nova:xyzzy@db\n[pci]\nalias = {}\nadmin_password: x")
    program = tmp_path / "nova-compute"
    program.write_text("#!/bin/sh\nread -r line\n")
    program.chmod(0o755)
    host = LocalHost("here")
    with subprocess.Popen([program, "--config-file", str(conf)], stdin=subprocess.PIPE) as running:
        try:
            anchor = f"echo {running.pid}"
            found = nova_process.find(_AsRoot(host), "nova-compute", anchor=anchor)
            assert found is not None
            assert (found.pid, found.sees_host) == (running.pid, True)
            script = nova_process.read_written(_AsRoot(host), str(conf))
            if os.geteuid() == 0:  # only root looks through another process's root
                assert nova_process.read(_AsRoot(host), "nova-compute", found).files == script.files
        finally:
            running.stdin.close()  # type: ignore[union-attr]

    assert [file.path for file in script.files] == [str(conf)]
    assert "xyzzy" not in script.files[0].text
    assert script.files[0].text.splitlines()[-1] == "admin_password: (hidden)"


def test_a_node_that_cannot_enter_its_pods_sees_their_processes(tmp_path: Path):
    """Without `oc` a host may still be the one that the pods run on."""
    program = tmp_path / "nova-scheduler"
    program.write_text("#!/bin/sh\nread -r line\n", encoding="utf-8")
    program.chmod(0o755)
    host = _AsRoot(LocalHost("here"))
    with subprocess.Popen([program], stdin=subprocess.PIPE) as running:
        try:
            anchor = f"echo {running.pid}"
            absent = nova_process.reach(host, "nova-scheduler", anchor=anchor, enter="/nowhere/oc exec pod --")
            there = nova_process.reach(host, "nova-scheduler", anchor=anchor, enter="env")
        finally:
            running.stdin.close()  # type: ignore[union-attr]

    assert absent[0] is not None
    assert (absent[0].pid, absent[1], there[1]) == (running.pid, "", "env")


class _AsRoot:
    """This machine, whatever the user: what is asked belongs to the test itself."""

    def __init__(self, host: LocalHost) -> None:
        self._host, self.name = host, host.name

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False):
        return self._host.run(command, timeout_s=timeout_s)
