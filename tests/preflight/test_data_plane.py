"""Which ConfigMaps reach nova-compute in RHOSO."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.cli import inspect

SNIPPET = """apiVersion: v1
kind: {kind}
metadata: {{name: {name}}}
{field}:
  {key}: |
    [pci]
    device_spec = {{"vendor_id": "10de", "product_id": "2330"}}
"""
SERVICE = """apiVersion: dataplane.openstack.org/v1beta1
kind: OpenStackDataPlaneService
metadata: {{name: {name}}}
spec: {{{sources}}}
"""
NOVA = SERVICE.format(name="nova-gpu", sources="dataSources: [{configMapRef: {name: gpu-nova}}]")
BEFORE_GA = SERVICE.format(name="nova-gpu", sources="configMaps: [gpu-nova], secrets: [nova-cell1-compute-config]")
BY_TYPE = SERVICE.format(name="gpu", sources="edpmServiceType: nova, dataSources: [{configMapRef: {name: gpu-nova}}]")
SECRET = SERVICE.format(name="nova-gpu", sources="dataSources: [{secretRef: {name: gpu-nova}}]")
OTHER = SERVICE.format(name="ceph-client", sources="dataSources: [{secretRef: {name: ceph-conf}}]")
RENAMED = "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nnamePrefix: lab-\nresources: [all.yaml]\n"


def _snippet(
    name: str = "gpu-nova", key: str = "30-nova-gpu.conf", kind: str = "ConfigMap", field: str = "data"
) -> str:
    return SNIPPET.format(name=name, key=key, kind=kind, field=field)


def _codes(folder: Path, *documents: str, more: str = "") -> list[str]:
    (folder / "all.yaml").write_text("---\n".join(documents), encoding="utf-8")
    (folder / "kustomization.yaml").write_text(more, encoding="utf-8")
    found = inspect([folder], "2023.1")[1]
    return [finding.code for finding in found if finding.code in ("GP242", "GP243")]


@pytest.mark.parametrize("service", [NOVA, BEFORE_GA, BY_TYPE], ids=["now", "before GA", "by type"])
def test_a_name_that_the_service_does_not_have_is_found(tmp_path: Path, service: str) -> None:
    """A typo in either place: the settings reach no host."""
    assert _codes(tmp_path, service, _snippet()) == []
    assert _codes(tmp_path, service, _snippet("gpus-nova")) == ["GP242"]


def test_a_key_without_nova_in_its_name_is_found(tmp_path: Path) -> None:
    """Of a ConfigMap and of a Secret in clear text."""
    assert _codes(tmp_path, NOVA, _snippet(key="30-gpu.conf")) == ["GP243"]
    assert _codes(tmp_path, SECRET, _snippet(key="30-gpu.conf", kind="Secret", field="stringData")) == ["GP243"]
    assert _codes(tmp_path, SECRET, _snippet(kind="Secret", field="stringData")) == []


@pytest.mark.parametrize(
    ("documents", "more"),
    [
        ((_snippet("elsewhere"),), ""),
        ((_snippet("elsewhere"), OTHER), ""),
        ((_snippet("nova-extra-config"), NOVA), ""),
        ((_snippet("elsewhere"), NOVA), RENAMED),
        ((_snippet("'{{ name }}'"), NOVA), ""),
    ],
    ids=["no service is here", "a service of another kind", "the default's name", "kustomize renames", "a template"],
)
def test_what_may_be_named_elsewhere_is_no_finding(tmp_path: Path, documents: tuple[str, ...], more: str) -> None:
    """The service may be another file's, the default one's, or the name may be made later."""
    assert _codes(tmp_path, *documents, more=more) == []
