"""Charts, read with their own values and helpers and without Helm."""

from __future__ import annotations

import pytest
from deployments import deployed, edges, facts_of, one

from coordlint.deployment import Workload
from coordlint.finding import Confidence
from coordlint.link.deploy.template_words import NOT_KNOWN, Scope, as_text, evaluated
from coordlint.manifest import UNKNOWN, KubernetesObject

HELPERS = """
{{/* Names. */}}
{{- define "till.fullname" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 63 }}
{{- else -}}{{ printf "%s-%s" .Release.Name "hq" | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- define "till.env" -}}
{{ range $name, $said := .Values.settings }}
- name: {{ $name }}
{{- if $said.value }}
  value: {{ $said.value | quote }}
{{- else if $said.secret }}
  valueFrom:
    secretKeyRef: {name: {{ $said.secret }}, key: value}
{{- end }}
{{- end }}
{{- end -}}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "till.fullname" . }}-web
spec:
  replicas: {{ .Values.replicas | default 1 }}
  template:
    metadata:
      labels: {app: web}
    spec:
      {{- with .Values.nodes }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          env:
            {{- include "till.env" . | nindent 12 }}
"""


def chart(values: str, **templates: str) -> dict[str, str]:
    """A chart called till with helpers."""
    files = {"chart/Chart.yaml": "name: till\nversion: 1.0.0\nappVersion: '7'\n", "chart/values.yaml": values}
    return files | {"chart/templates/_helpers.tpl": HELPERS} | {f"chart/templates/{n}.yaml": t for n, t in templates.items()}


VALUES = """
replicas: 3
image: {repository: acme/till}
settings:
  STORE_URL: {value: "redis://till-hq-store:6379"}
  TOKEN: {secret: till}
"""
STORE = """
{{- if .Values.store.enabled }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "till.fullname" . }}-store
spec:
  selector: {app: store}
---
{{- if .Values.store.enabled -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "till.fullname" . }}-store
spec:
  template:
    metadata: {labels: {app: store}}
    spec:
      containers: [{name: store, image: redis}]
{{- end }}
{{- end }}
"""


def web(values: str = VALUES, **templates: str) -> Workload:
    return one(deployed(chart(values, web=DEPLOYMENT, **templates)), "till-hq-web")


def test_names_replicas_and_images_come_from_helpers_and_values():
    found = web()
    assert (found.replicas.declared, found.image, found.place.line) == (3, "acme/till:7", 4)
    assert found.confidence is Confidence.LOW


def test_variables_come_from_a_range_in_a_helper():
    assert {v.name: v.value for v in web().environment} == {"STORE_URL": "redis://till-hq-store:6379", "TOKEN": None}


def test_an_override_of_the_name_counts():
    assert one(deployed(chart(VALUES + "fullnameOverride: shop\n", web=DEPLOYMENT)), "shop-web")


def test_what_a_switch_turns_off_is_told_as_optional():
    told = deployed(chart(VALUES + "store: {enabled: false}\n", web=DEPLOYMENT, store=STORE))
    assert edges(told) == {("till-hq-web", "till-hq-store")}
    assert one(told, "till-hq-store").profiles == ("store.enabled",)
    assert [c.backend for c in told.coordinators] == ["redis"]


def test_what_a_switch_turns_on_is_not_optional():
    told = deployed(chart(VALUES + "store: {enabled: true}\n", web=DEPLOYMENT, store=STORE))
    assert not one(told, "till-hq-store").is_optional


def test_an_autoscaler_that_is_switched_off_scales_nothing():
    scaler = (
        "{{- if .Values.scaling.enabled }}\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n"
        "spec:\n  maxReplicas: 9\n  scaleTargetRef: {kind: Deployment, name: till-hq-web}\n{{- end }}\n"
    )
    assert web(VALUES + "scaling: {enabled: false}\n", scaler=scaler).replicas.most == 3
    assert web(VALUES + "scaling: {enabled: true}\n", scaler=scaler).replicas.most == 9


def test_each_entry_of_a_range_is_a_workload():
    template = (
        "{{- range $name, $job := .Values.jobs }}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ $.Release.Name }}-{{ $name }}\n"
        "spec:\n  replicas: {{ $job.count }}\n  template:\n    spec:\n      containers:\n        - {name: x, image: acme/job}\n{{- end }}\n"
    )
    told = deployed(chart("jobs: {mail: {count: 2}, bills: {count: 4}}\n", jobs=template))
    assert {w.name: w.replicas.declared for w in told.workloads} == {"till-mail": 2, "till-bills": 4}


def test_values_of_a_chart_go_before_those_of_the_chart_inside_it():
    files = {
        "Chart.yaml": "name: shop\n",
        "values.yaml": "mail: {replicas: 5}\n",
        "charts/mail/Chart.yaml": "name: mail\n",
        "charts/mail/values.yaml": "replicas: 1\n",
        "charts/mail/templates/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: mail}\nspec:\n  replicas: {{ .Values.replicas }}\n"
        "  template:\n    spec:\n      containers: [{name: x, image: y}]\n",
    }
    assert one(deployed(files), "mail").replicas.declared == 5


def test_a_helper_that_is_not_here_costs_its_own_lines_only():
    template = DEPLOYMENT.replace("    spec:\n      {{- with", '    spec:\n      {{- include "common.pod" . | nindent 6 }}\n      {{- with')
    assert one(deployed(chart(VALUES, web=template)), "till-hq-web").image == "acme/till:7"


def test_what_values_do_not_tell_stays_unknown():
    assert web("image: {repository: acme/till}\nreplicas: {{ x }}\n").replicas.declared in (None, 1)
    assert web("image: {repository: acme/till, tag: x}\n").image == "acme/till:x"


def test_a_template_that_cannot_be_followed_is_read_by_its_structure():
    broken = "{{- if .Values.x }}\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: x, image: y}]}}}\n"
    assert one(deployed(chart("x: 1\n", web=broken)), "web")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("default", '"x"', ".none"), "x"),
        ((".name", "|", "default", '"x"'), "till"),
        ((".unknown", "|", "quote"), f'"{UNKNOWN}"'),
        (("printf", '"%s-%d"', ".name", "3"), "till-3"),
        (("ternary", '"a"', '"b"', "(", "eq", ".name", '"till"', ")"), "a"),
        ((".name", "|", "upper", "|", "trunc", "2"), "TI"),
        (("nosuchfunction", ".name"), UNKNOWN),
        (("(", ".name", ")"), "till"),
    ],
)
def test_pipelines_come_to_what_the_functions_make_of_them(words, told):
    top = {"name": "till", "none": None}
    scope = Scope(top, top, {}, lambda name, dot: NOT_KNOWN)
    assert as_text(evaluated(words, scope)) == told


@pytest.mark.parametrize(
    "text",
    [
        '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
        '{{ $a := "xxxxxxxxxx" }}' + "{{ $a = printf \"%s%s\" $a $a }}" * 60 + "{{ $a }}",
        "{{ range .Values.l }}" * 50 + "x" + "{{ end }}" * 50,
        "{{ if x }}" * 500 + "{{ end }}" * 500,
        "{{ " + "(" * 5_000 + ")" * 5_000 + " }}",
        "{{" * 20_000,
        '{{ "' * 20_000,
    ],
    ids=["include", "doubling", "ranges", "nesting", "brackets", "braces", "quotes"],
)
def test_a_template_that_would_never_end_is_let_go(text):
    objects = text + "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
    files = chart("l: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n", web=objects)
    assert [m.name for f in facts_of(files) for m in f.manifests if isinstance(m, KubernetesObject)] in (["web"], [])
    assert deployed(files).workloads == ()
