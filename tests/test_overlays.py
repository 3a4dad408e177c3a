"""Kustomizations and charts: what an overlay changes, and where a workload stays defined."""

from __future__ import annotations

import re

import pytest
from deployments import deployed, edges, facts_of, one

from coordlint.deployment import Role
from coordlint.finding import Confidence

BASE = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n        - name: web\n          image: acme/web:1\n          env: [{name: MODE, value: slow}]\n",
}


def overlay(text: str, name: str = "prod", **more: str) -> dict[str, str]:
    files = {f"overlays/{name}/{path.replace('_', '.')}": body for path, body in more.items()}
    return {**BASE, f"overlays/{name}/kustomization.yaml": "resources: [../../base]\n" + text, **files}


def test_replicas_of_an_overlay_reach_the_workload_of_the_base() -> None:
    web = one(deployed(overlay("replicas: [{name: web, count: 3}]\n")), "web")
    assert (web.path, web.replicas.declared, web.replicas.most) == ("base/web.yaml", 1, 3)
    assert [str(e.place) for e in web.replicas.because] == ["overlays/prod/kustomization.yaml:2"]


def test_a_strategic_patch_file_changes_a_workload_and_defines_none() -> None:
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 4\n  template: {spec: {containers: [{name: web, env: [{name: REDIS_HOST, value: redis}]}]}}\n"
    deployment = deployed(overlay("patches: [{path: patch.yaml}]\n", patch_yaml=patch))
    web = one(deployment, "web")
    assert web.replicas.most == 4
    assert {(v.name, v.value) for v in web.environment} == {("MODE", "slow"), ("REDIS_HOST", "redis")}
    assert [str(e.place) for e in web.replicas.because] == ["overlays/prod/patch.yaml:5"]


def test_an_inline_json_patch_is_followed_with_its_line() -> None:
    text = "patches:\n  - target: {kind: Deployment, name: web}\n    patch: |-\n      - op: add\n        path: /spec/replicas\n        value: 5\n"
    web = one(deployed(overlay(text)), "web")
    assert web.replicas.most == 5
    assert [str(e.place) for e in web.replicas.because] == ["overlays/prod/kustomization.yaml:7"]


def test_an_overlay_for_development_adds_no_replicas() -> None:
    assert one(deployed(overlay("replicas: [{name: web, count: 3}]\n", "dev")), "web").replicas.most == 1


def test_generators_and_components_belong_to_the_overlay() -> None:
    files = overlay(
        "components: [../../parts/cache]\nconfigMapGenerator:\n  - name: conf\n    literals: [REDIS_HOST=redis]\n",
    )
    files["parts/cache/kustomization.yaml"] = "kind: Component\nresources: [redis.yaml]\n"
    files["base/web.yaml"] = BASE["base/web.yaml"].replace("env:", "envFrom: [{configMapRef: {name: conf}}]\n          env:")
    files["parts/cache/redis.yaml"] = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: redis}\nspec:\n  template: {metadata: {labels: {app: r}}, spec: {containers: [{image: redis}]}}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec: {selector: {app: r}}\n"
    )
    assert edges(deployed(files)) == {("web", "redis")}


@pytest.mark.parametrize(
    ("generator", "reference", "values"),
    [
        ("configMapGenerator: [{name: conf, literals: [REDIS_HOST=redis, 'MODE=\"slow\"']}]", "configMapRef", {"REDIS_HOST": "redis", "MODE": "slow"}),
        ("configMapGenerator: [{name: conf, envs: [web.env]}]", "configMapRef", {"REDIS_HOST": "redis", "TOKEN": "hunter1"}),
        ("configMapGenerator: [{name: conf, env: web.env}]", "configMapRef", {"REDIS_HOST": "redis", "TOKEN": "hunter1"}),
        ("configMapGenerator: [{name: conf, files: [web.env]}]", "configMapRef", {}),
        ("configMapGenerator: [{name: conf, envs: [missing.env]}]", "configMapRef", {}),
        ("secretGenerator: [{name: conf, literals: [TOKEN=hunter2, 'DB_URL=postgres://me:hunter3@db:5432/shop']}]", "secretRef", {"TOKEN": None, "DB_URL": "postgres://db:5432"}),
        ("secretGenerator: [{name: conf, envs: [web.env]}]", "secretRef", {"REDIS_HOST": None, "TOKEN": None}),
    ],
)
def test_generators_read_literals_and_env_files_and_keep_no_secret(generator: str, reference: str, values: dict[str, str | None]) -> None:
    files = overlay(generator + "\n")
    files["base/web.yaml"] = BASE["base/web.yaml"].replace("env: [{name: MODE, value: slow}]", f"envFrom: [{{{reference}: {{name: conf}}}}]")
    files["overlays/prod/web.env"] = "REDIS_HOST=redis\nTOKEN=hunter1\n"
    assert {v.name: v.value for v in one(deployed(files), "web").environment} == values
    assert not {"hunter2", "hunter3"} & set(re.findall(r"hunter\d", str(facts_of(files))))


def test_what_an_env_file_gives_to_a_generator_stands_in_that_file() -> None:
    files = overlay("configMapGenerator: [{name: conf, envs: [web.env]}]\n", web_env="MODE=fast\nREDIS_HOST=redis\n")
    files["base/web.yaml"] = BASE["base/web.yaml"].replace("env: [{name: MODE, value: slow}]", "envFrom: [{configMapRef: {name: conf}}]")
    assert [str(v.place) for v in one(deployed(files), "web").environment] == ["overlays/prod/web.env:1", "overlays/prod/web.env:2"]


def test_kustomizations_that_name_each_other_end() -> None:
    files = {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"}
    assert deployed(files).workloads == ()


CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\ndependencies:\n  - {name: redis, condition: redis.enabled}\n  - {name: zookeeper, condition: zookeeper.enabled}\n  - {name: common}\n",
    "chart/values.yaml": "replicaCount: 3\nimage: {repository: acme/shop, tag: 1.2}\nworker: {command: [celery, -A, shop, worker, -B]}\nredis: {enabled: true}\nzookeeper: {enabled: false}\n",
    "chart/templates/worker.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "shop.fullname" . }}-worker
  {{- with .Values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if not .Values.autoscaling }}
  replicas: {{ .Values.replicaCount }}
  {{- end }}
  template:
    spec:
      containers:
        - name: worker
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          command: {{ .Values.worker.command }}
          env:
            - name: REDIS_HOST
              value: {{ .Release.Name }}-redis
            - name: TOKEN
              value: {{ .Values.secret }}
""",
}


def test_a_template_is_read_as_far_as_values_fill_it() -> None:
    worker = one(deployed(CHART), "shop-worker")
    assert (worker.replicas.declared, worker.image, worker.confidence) == (3, "acme/shop:1.2", Confidence.LOW)
    assert [p.program for p in worker.processes] == ["celery-worker", "celery-beat"]
    assert str(worker.replicas.because[0].place) == "chart/templates/worker.yaml:11"
    assert [v.name for v in worker.environment] == ["REDIS_HOST", "TOKEN"]


def test_dependencies_are_off_unless_values_switch_them_on() -> None:
    assert [(c.workload.name, c.backend) for c in deployed(CHART).coordinators] == [("redis", "redis")]


def test_the_role_of_an_overlay_is_that_of_its_folder() -> None:
    files = {
        "overlays/staging/kustomization.yaml": "resources: [extra.yaml]\n",
        "overlays/staging/extra.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: x}]}\n",
    }
    assert one(deployed(files), "p").role is Role.STAGING
