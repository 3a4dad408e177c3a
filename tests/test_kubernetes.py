"""Kubernetes manifests into workloads."""

from __future__ import annotations

import pytest
from deployments import deployed, edges, facts_of, one

from coordlint.manifest import KubernetesObject

POD = """
spec:
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - {{name: main, image: "{image}", {more}}}
"""


def workload(kind: str, name: str, image: str = "acme/app", more: str = "", spec: str = "") -> str:
    body = POD.format(name=name, image=image, more=more).replace("spec:\n  template", f"spec:\n{spec}  template", 1)
    return f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}{body}---\n"


def test_a_workload_stands_at_its_name_with_its_replicas() -> None:
    web = one(deployed({"k8s/web.yaml": workload("Deployment", "web", spec="  replicas: 3\n")}), "web")
    assert (str(web.place), web.kind, web.replicas.declared) == ("k8s/web.yaml:3", "deployment", 3)


def test_documents_lists_and_json_hold_objects_alike() -> None:
    text = '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"image": "x"}]}}]}'
    assert one(deployed({"k8s/list.json": text}), "p").kind == "pod"


@pytest.mark.parametrize(
    ("kind", "field"), [("HorizontalPodAutoscaler", "maxReplicas: 5"), ("ScaledObject", "maxReplicaCount: 5")]
)
def test_an_autoscaler_in_another_file_gives_the_range(kind: str, field: str) -> None:
    scaler = f"apiVersion: x/v1\nkind: {kind}\nmetadata: {{name: s}}\nspec:\n  scaleTargetRef: {{name: web, kind: Deployment}}\n  {field}\n"
    web = one(deployed({"k8s/web.yaml": workload("Deployment", "web"), "k8s/scale.yaml": scaler}), "web")
    assert (web.replicas.declared, web.replicas.most) == (1, 5)
    assert str(web.replicas.because[-1].place) == "k8s/scale.yaml:6"


@pytest.mark.parametrize(
    "host", ["redis", "redis.default", "redis.default.svc", "redis.default.svc.cluster.local", "redis.default.svc.cluster.local."]
)
def test_a_service_answers_to_all_forms_of_its_name(host: str) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec: {selector: {app: cache}}\n"
    files = {
        "k8s/cache.yaml": workload("Deployment", "cache", "redis:7") + service,
        "k8s/web.yaml": workload("Deployment", "web", more=f'env: [{{name: REDIS_HOST, value: "{host}"}}]'),
    }
    assert edges(deployed(files)) == {("web", "cache")}


def test_pods_of_a_stateful_set_answer_behind_their_headless_service() -> None:
    files = {
        "k8s/zk.yaml": workload("StatefulSet", "zk", "zookeeper:3.9", spec="  serviceName: zk-hs\n  replicas: 3\n"),
        "k8s/web.yaml": workload("Deployment", "web", more='env: [{name: ZK_HOSTS, value: "zk-0.zk-hs:2181,zk-2.zk-hs.default.svc:2181"}]'),
    }
    assert edges(deployed(files)) == {("web", "zk")}


def test_values_come_from_config_maps_and_secrets_and_secrets_stay_secret() -> None:
    more = "envFrom: [{configMapRef: {name: c}}], env: [{name: DB, valueFrom: {secretKeyRef: {name: s, key: url}}}]"
    files = {
        "k8s/web.yaml": workload("Deployment", "web", more=more),
        "k8s/conf.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {REDIS_HOST: redis}\n",
        "k8s/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {url: 'postgres://u:hunter2@db:5432/x', key: hunter3}\n",
        "k8s/stores.yaml": "".join(
            workload("Deployment", name, name) + f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: {name}}}}}\n---\n"
            for name in ("redis", "db")
        ),
    }
    assert edges(deployed(files)) == {("web", "redis"), ("web", "db")}
    assert "hunter" not in str(facts_of(files))


def test_encoded_values_of_secrets_are_read_for_their_host_only() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {url: cmVkaXM6Ly86aHVudGVyMkByZWRpczo2Mzc5LzA=}\n"
    (facts,) = facts_of({"k8s/s.yaml": text})
    (secret,) = facts.manifests
    assert isinstance(secret, KubernetesObject)
    assert "redis://redis:6379" in str(secret.root) and "hunter2" not in str(secret.root)


def test_commands_and_arguments_are_joined_and_variables_filled_in() -> None:
    more = 'command: [celery, -A, $(APP)], args: [worker, "-c", "4"], env: [{name: APP, value: shop.tasks}]'
    web = one(deployed({"k8s/web.yaml": workload("Deployment", "web", more=more), "shop/tasks.py": ""}), "web")
    assert [(p.program, p.workers) for p in web.processes] == [("celery-worker", 4)]
    assert [r.path for r in web.runs] == ["shop/tasks.py"]


def test_probes_tell_path_port_and_command() -> None:
    more = "livenessProbe: {httpGet: {path: /healthz, port: 8080}}, readinessProbe: {exec: {command: [redis-cli, ping]}}"
    probes = one(deployed({"k8s/web.yaml": workload("Deployment", "web", more=more)}), "web").probes
    assert [(p.kind, p.http_path, p.port, p.command) for p in probes] == [
        ("liveness", "/healthz", "8080", ()),
        ("readiness", "", "", ("redis-cli", "ping")),
    ]


@pytest.mark.parametrize(
    ("volume", "persists"),
    [("emptyDir: {}", False), ("persistentVolumeClaim: {claimName: c}", True), ("configMap: {name: c}", False)],
)
def test_a_mount_persists_or_not_by_its_volume(volume: str, persists: bool) -> None:
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers: [{{image: x, volumeMounts: [{{name: d, mountPath: /data}}]}}]\n  volumes: [{{name: d, {volume}}}]\n"
    (mount,) = one(deployed({"k8s/p.yaml": text}), "p").mounts
    assert (mount.target, mount.persists) == ("/data", persists)


def test_a_disruption_budget_and_spread_are_seen() -> None:
    budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {selector: {matchLabels: {app: zk}}}\n"
    files = {"k8s/zk.yaml": workload("StatefulSet", "zk") + budget, "k8s/other.yaml": workload("StatefulSet", "other")}
    deployment = deployed(files)
    assert [one(deployment, n).has_disruption_budget for n in ("zk", "other")] == [True, False]
    assert one(deployment, "zk").has_spread is False


def test_an_annotation_silences_the_lines_of_its_object() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n    coordlint.dev/ignore: 'CL701, CL703: a test bed'\nspec: {}\n"
    (facts,) = facts_of({"k8s/p.yaml": text})
    (wish,) = facts.suppressions
    assert (wish.codes, wish.reason, wish.first_line, wish.last_line) == (("CL701", "CL703"), "a test bed", 1, 7)


def test_two_clusters_of_manifests_with_equal_names_stay_apart() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec: {selector: {app: redis}}\n---\n"
    web = workload("Deployment", "web", more="env: [{name: REDIS_HOST, value: redis}]")
    files = {f"{env}/k8s/all.yaml": workload("Deployment", "redis", "redis:7") + service + web for env in ("blue", "green")}
    pairs = {(c.source.path, c.target.path if c.target else "") for c in deployed(files).connections}
    assert pairs == {("blue/k8s/all.yaml", "blue/k8s/all.yaml"), ("green/k8s/all.yaml", "green/k8s/all.yaml")}


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Deployment\nmetadata: 3\nspec: []\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {containers: {a: b}}}}\n",
        "apiVersion: v1\nkind: List\nitems: 7\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: [a]}\nspec: {selector: 3, ports: 5}\n",
    ],
)
def test_objects_of_the_wrong_shape_break_nothing(text: str) -> None:
    deployed({"k8s/x.yaml": text})


RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: elector}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [%s]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: elector}
roleRef: {kind: Role, name: elector}
subjects: [{kind: ServiceAccount, name: %s}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {serviceAccountName: web, containers: [{name: x, image: y}]}}}
"""


@pytest.mark.parametrize(("verb", "account", "told"), [("update", "web", 1), ("get", "web", 0), ("update", "other", 0)])
def test_the_right_to_write_leases_is_evidence_of_an_election(verb, account, told):
    assert len(one(deployed({"k8s/all.yaml": RIGHTS % (verb, account)}), "web").elections) == told


ELECTORS = "spec: {template: {spec: {containers: [{name: x, image: y, args: [%s]}, {name: z, image: '%s'}]}}}\n"
LEASE = "---\napiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: %s, namespace: %s}\n"


@pytest.mark.parametrize(
    ("argument", "beside", "lease", "namespace", "told"),
    [
        ("run", "nginx", "web", "", 1),
        ("run", "nginx", "web-leader", "", 1),
        ("--lease=steering", "nginx", "steering", "", 1),
        ("run", "nginx", "steering", "", 0),
        ("run", "nginx", "website", "", 0),
        ("run", "nginx", "web", "other", 0),
        ("run", "registry.k8s.io/leader-elector:0.5", "steering", "", 1),
        ("run", "acme/leader-board", "steering", "", 0),
    ],
)
def test_a_lease_of_its_own_or_an_elector_beside_it_is_evidence_of_an_election(argument, beside, lease, namespace, told):
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n" + ELECTORS % (argument, beside)
    files = {"k8s/all.yaml": text + LEASE % (lease, namespace or "shop")}
    assert len(one(deployed(files), "web").elections) == told


@pytest.mark.parametrize(
    ("limits", "least", "most"),
    [
        ("minReplicaCount: 0\n  maxReplicaCount: 4", 1, 4),
        ("minReplicaCount: 2", 2, 100),  # what KEDA takes when nothing is said
        ("maxReplicaCount: 1", 1, 1),
        ("maxReplicaCount: ${MOST}", 1, 1),
    ],
)
def test_a_scaled_object_of_keda_gives_the_range(limits: str, least: int, most: int) -> None:
    scaler = f"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: s}}\nspec:\n  scaleTargetRef: {{name: web}}\n  {limits}\n"
    web = one(deployed({"k8s/web.yaml": workload("Deployment", "web"), "k8s/scale.yaml": scaler}), "web")
    assert (web.replicas.declared, web.replicas.most) == (least, most)
