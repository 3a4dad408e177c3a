"""What Helm has rendered is judged where its templates stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from coordlint.cli import cli

TEMPLATE = """{{- if .Values.zk }}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .Release.Name }}-zk
  labels:
    {{- include "till.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.zk.replicas }}
  template:
    spec:
      containers:
        - name: zk
          image: zookeeper:3.9
{{- end }}
"""
RENDERED = """---
# Source: till/templates/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: shop-zk
  labels:
    app: till
    release: shop
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: zk
          image: zookeeper:3.9
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart whose values say three members."""
    (tmp_path / "deploy/templates").mkdir(parents=True)
    (tmp_path / "deploy/Chart.yaml").write_text("name: till\n")
    (tmp_path / "deploy/values.yaml").write_text("zk: {replicas: 3}\n")
    (tmp_path / "deploy/templates/zk.yaml").write_text(TEMPLATE)
    return tmp_path


def findings(root: Path, *words: str, text: str = "") -> list[tuple[str, str, int]]:
    ran = CliRunner().invoke(
        cli, ["check", "--isolated", "--no-cache", "--root", str(root), "--format", "json", *words, str(root)], input=text, standalone_mode=False
    )
    return [(f["code"], f["path"], f["line"]) for f in json.loads(ran.stdout)["findings"]]


def test_documents_of_standard_input_stand_at_their_templates(chart):
    assert ("CL702", "deploy/templates/zk.yaml", 5) in findings(chart, "-", text=RENDERED)


def test_without_it_the_values_of_the_chart_count(chart):
    assert "CL702" not in {code for code, _, _ in findings(chart)}


def test_evidence_stands_at_the_lines_of_the_template(chart):
    ran = CliRunner().invoke(cli, ["inventory", "--isolated", "--no-cache", "--format", "json", "--root", str(chart), "-"], input=RENDERED, standalone_mode=False)
    assert [(w["name"], w["line"], w["replicas"]) for w in json.loads(ran.stdout)["workloads"]] == [("shop-zk", 5, 2)]


def test_documents_of_no_known_chart_stand_in_standard_input(chart):
    foreign = RENDERED.replace("# Source: till/templates/zk.yaml\n", "")
    assert ("CL702", "stdin.yaml", 4) in findings(chart, "-", text=foreign)


def test_a_line_of_many_actions_is_compared_without_trying_every_way(chart):
    many = "    note: " + "a{{ .Values.x }}" * 6 + "!\n"
    (chart / "deploy/templates/zk.yaml").write_text(TEMPLATE.replace("  labels:\n", f"  labels:\n{many}"))
    rendered = RENDERED.replace("  labels:\n", f"  labels:\n    note: {'a' * 1_900}b\n")
    assert ("CL702", "deploy/templates/zk.yaml", 5) in findings(chart, "-", text=rendered)


def test_a_broken_document_is_told(chart):
    ran = CliRunner().invoke(cli, ["check", "--isolated", "--no-cache", "--root", str(chart), "--format", "json", "-"], input=RENDERED + "---\n{a: [\n", standalone_mode=False)
    assert [s["path"] for s in json.loads(ran.stdout)["coverage"]["skipped"]] == ["stdin.yaml"]


def program(folder: Path, text: str) -> str:
    """A program called helm."""
    path = folder / "helm"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_helm_renders_the_charts_when_it_is_asked_to(chart, tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "out.yaml").write_text(RENDERED)
    monkeypatch.setattr("coordlint.project.helm_program", lambda: program(folder, f"cat {folder}/out.yaml"))
    assert ("CL702", "deploy/templates/zk.yaml", 5) in findings(chart, "--render=helm")


def test_a_chart_that_helm_cannot_render_is_told_and_read_as_it_stands(chart, tmp_path_factory, monkeypatch):
    helm = program(tmp_path_factory.mktemp("bin"), "echo 'Error: no such function' >&2; exit 1")
    monkeypatch.setattr("coordlint.project.helm_program", lambda: helm)
    told = findings(chart, "--render=helm")
    assert ("CL001", "deploy/Chart.yaml", 1) in told
    assert ("CL703", "deploy/templates/zk.yaml", 5) in told


def test_without_helm_the_option_is_refused(chart, monkeypatch):
    monkeypatch.setattr("coordlint.project.helm_program", lambda: None)
    ran = CliRunner().invoke(cli, ["check", "--isolated", "--render=helm", str(chart)])
    assert (ran.exit_code, "not installed" in ran.output) == (2, True)
