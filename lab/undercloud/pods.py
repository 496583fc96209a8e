"""kubectl and oc of the nodes, for clouds whose services are pods, and what kubelet does when one ends.

`exec`, `delete pod`, `rollout restart` and `get pods` are understood. There is no API server behind them: no other
resource can be read or changed, a pod keeps its name when it is made again, and a Secret is a file of the node. The
processes of a pod are seen in /proc of its node only, but all of a node's are.
"""

from __future__ import annotations

import os
import sys

from lab.errors import LabError
from lab.paths import LabPaths
from lab.services import control, processes
from lab.services.deployed import Deployed, everywhere
from lab.state import LabState, load
from lab.undercloud.containers import run_inside

NAMESPACE = "openstack"


def kubectl(arguments: list[str]) -> int:
    """`kubectl -n NAMESPACE exec POD [-c CONTAINER] -- COMMAND…`, `delete pod POD`, `rollout restart WORKLOAD`."""
    return _client("kubectl", arguments)


def oc(arguments: list[str]) -> int:
    """OpenShift's client, which takes the same words."""
    return _client("oc", arguments)


def k8s(arguments: list[str]) -> int:
    """`k8s kubectl …`, Canonical Kubernetes."""
    if arguments[:1] != ["kubectl"]:
        print(f'Error: unknown command "{" ".join(arguments[:1])}" for "k8s"', file=sys.stderr)
        return 1
    return _client("k8s", arguments[1:])


def kubelet(arguments: list[str]) -> int:
    """`kubelet PROCESS`: a pod's process ended, so it is started again, as restartPolicy: Always says."""
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    control.restart(state, arguments)
    return 0


def _client(name: str, arguments: list[str]) -> int:
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    pods = [service for service in everywhere(state) if service.pod]
    if not pods:
        print(f"bash: {name}: command not found", file=sys.stderr)
        return 127
    words, command = _split(arguments)
    namespace, container, words = _options(words)
    if namespace != NAMESPACE:
        return _not_found(f'namespaces "{namespace}" not found')
    match words:
        case ["exec", pod]:
            return _exec(state, pods, pod, container, command)
        case ["delete", "pod" | "pods" | "po", name]:
            return _restart(state, [each for each in pods if each.pod and each.pod.name == name], name, "deleted")
        case ["rollout", "restart", name]:
            return _restart(state, [each for each in pods if each.pod and each.pod.workload == name], name, "restarted")
        case ["get", "pod" | "pods" | "po"]:
            return _get(state, pods)
    print(f"error: the lab's {name} does not understand {' '.join(words)!r}", file=sys.stderr)
    return 1


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The client's own words, and the command behind `--`."""
    if "--" not in arguments:
        return arguments, []
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _options(words: list[str]) -> tuple[str, str | None, list[str]]:
    """Namespace, container and the words that are no options."""
    rest: list[str] = []
    given = {"-n": "default", "-c": ""}
    names = {"-n": "-n", "--namespace": "-n", "-c": "-c", "--container": "-c"}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=")
        if name in names and (equals or queue):
            given[names[name]] = value if equals else queue.pop(0)
        elif not word.startswith("-"):
            rest.append(word)
    return given["-n"], given["-c"] or None, rest


def _not_found(what: str) -> int:
    print(f"Error from server (NotFound): {what}", file=sys.stderr)
    return 1


def _exec(state: LabState, pods: list[Deployed], pod: str, container: str | None, command: list[str]) -> int:
    own = [each for each in pods if each.pod and each.pod.name == pod.removeprefix("pod/")]
    if not own:
        return _not_found(f'pods "{pod}" not found')
    chosen = next((each for each in own if each.pod and container in (None, each.pod.container)), None)
    if chosen is None:
        print(f"Error from server (BadRequest): container {container} is not valid for pod {pod}", file=sys.stderr)
        return 1
    if chosen.process not in processes.running(state):
        print(f'error: unable to upgrade connection: container not found ("{container}")', file=sys.stderr)
        return 1
    return run_inside(state, chosen, command)


def _restart(state: LabState, services: list[Deployed], name: str, done: str) -> int:
    if not services:
        return _not_found(f'"{name}" not found')
    try:
        control.restart(state, [service.process for service in services])
    except LabError as error:  # a client does not wait for what it asked for
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f'"{name}" {done}')
    return 0


def _get(state: LabState, pods: list[Deployed]) -> int:
    running = processes.running(state)
    names = dict.fromkeys(each.pod.name for each in pods if each.pod)
    print("NAME  READY  STATUS")
    for name in names:
        own = [each.process in running for each in pods if each.pod and each.pod.name == name]
        print(f"{name}  {sum(own)}/{len(own)}  {'Running' if all(own) else 'CrashLoopBackOff'}")
    return 0
