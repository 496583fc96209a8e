"""Read which options each Nova release has in which section of nova.conf, from its wheels.

python scripts/collect_nova_options.py ocata=WHEEL pike=WHEEL … > preflight/data/nova_conf_options.yaml

The sources of nova/conf are read, not run. A name that a release reads as a deprecated one counts as its option.
"""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = "nova/conf/"


def options(wheel: Path) -> set[tuple[str, str]]:
    """Section and name of every option in one wheel of Nova."""
    with zipfile.ZipFile(wheel) as archive:
        sources = [name for name in archive.namelist() if name.startswith(FOLDER) and name.endswith(".py")]
        return {found for name in sources for found in _of_module(ast.parse(archive.read(name)))}


def _of_module(tree: ast.Module) -> Iterator[tuple[str, str]]:
    values = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("register_opts", "register_opt"):
            continue
        words = {word.arg: word.value for word in call.keywords}
        group = words.get("group") or (call.args[1] if len(call.args) > 1 else None)
        section = _group(group, values)
        for option in _options(call.args[0], values):
            yield from _names(option, section)


def _group(node: ast.expr | None, values: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Name):
        node = values.get(node.id)
    if isinstance(node, ast.Call) and node.args:
        node = node.args[0]
    words = {word.arg: word.value for word in node.keywords} if isinstance(node, ast.Call) else {}
    return _text(words.get("name") or node) or "DEFAULT"


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _options(node: ast.expr, values: dict[str, ast.expr]) -> Iterator[ast.Call]:
    if isinstance(node, ast.Name) and node.id in values:
        yield from _options(values[node.id], values)
    elif isinstance(node, ast.BinOp):
        yield from _options(node.left, values)
        yield from _options(node.right, values)
    elif isinstance(node, ast.List | ast.Tuple):
        for element in node.elts:
            yield from _options(element, values)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("Opt"):
        yield node
    elif isinstance(node, ast.Call):  # itertools.chain, list, sorted
        for argument in node.args:
            yield from _options(argument, values)


def _names(option: ast.Call, section: str) -> Iterator[tuple[str, str]]:
    words = {word.arg: word.value for word in option.keywords}
    name = _text(option.args[0]) if option.args else _text(words.get("name"))
    if name is None:
        return
    yield section, name
    old_name, old_section = _text(words.get("deprecated_name")), _text(words.get("deprecated_group"))
    if old_name or old_section:
        yield old_section or section, old_name or name
    for call in ast.walk(words.get("deprecated_opts") or ast.Constant(None)):
        if isinstance(call, ast.Call) and call.args and (old := _text(call.args[0])):
            yield _text({word.arg: word.value for word in call.keywords}.get("group")) or section, old


def main(arguments: list[str]) -> None:
    """Print each option with the first and last of the RELEASE=WHEEL arguments that have it."""
    releases = [argument.split("=", 1) for argument in arguments]
    seen: dict[str, dict[str, list[str]]] = {}
    for release, wheel in releases:
        for section, name in options(Path(wheel)):
            seen.setdefault(section, {}).setdefault(name.replace("-", "_"), []).append(release)
    print("# Made by scripts/collect_nova_options.py from the wheels of Nova; do not edit.")
    print("sources:")
    for release, wheel in releases:
        print(f'  "{release}": {"-".join(Path(wheel).name.split("-")[:2])}')
    print("sections:")
    for section, names in sorted(seen.items()):
        print(f"  {section}:")
        for name, found in sorted(names.items()):
            print(f'    {name}: ["{found[0]}", "{found[-1]}"]')


if __name__ == "__main__":
    main(sys.argv[1:])
