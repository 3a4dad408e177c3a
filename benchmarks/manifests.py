"""How long it takes to parse and join a thousand manifest files: compose, Kubernetes, kustomize, charts, Dockerfiles, env files, scripts.

    python benchmarks/manifests.py [FILES]

makes a repository of about FILES files (1,000 unless told) in a temporary folder, with services that talk to each other and to coordinators,
and prints seconds: reading and extracting with an empty cache, joining, and a whole `coordlint inventory` in a fresh process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from coordlint.link import link
from coordlint.pipeline import gathered
from coordlint.project import Options, open_project

COMPOSE = """
x-base: &base
  build: ../app{n}
  environment: &env {{STORE_URL: "redis://store:6379/0", ENSEMBLE: "zk1:2181,zk2:2181,zk3:2181", DB_HOST: "${{DB_HOST:-db}}"}}
  depends_on: [store, db]
services:
  web: {{<<: *base, command: "gunicorn -w 4 shop{n}.wsgi:app", ports: ["80{k:02}:8000"]}}
  worker: {{<<: *base, command: ["sh", "./start.sh", "worker"], deploy: {{replicas: 3}}}}
  beat: {{<<: *base, command: celery -A shop{n}.tasks beat}}
  store:
    image: redis:7
    command: redis-server --appendonly yes
    volumes: ["store:/data"]
  db:
    image: postgres:16
    healthcheck: {{test: ["CMD", "pg_isready"]}}
  zk1: {{image: "zookeeper:3.9", environment: {{ZOO_SERVERS: "server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181"}}}}
  zk2: {{image: "zookeeper:3.9", environment: {{ZOO_SERVERS: "server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181"}}}}
volumes: {{store: }}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web{n}, labels: {{app: web{n}}}}}
spec:
  replicas: {k}
  selector: {{matchLabels: {{app: web{n}}}}}
  template:
    metadata: {{labels: {{app: web{n}}}}}
    spec:
      containers:
      - name: web
        image: acme/app{n}:1
        args: ["python", "-m", "shop{n}.main"]
        envFrom: [{{configMapRef: {{name: settings{n}}}}}]
        livenessProbe: {{httpGet: {{path: /healthz, port: 8000}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web{n}}}
spec: {{selector: {{app: web{n}}}, ports: [{{port: 80}}]}}
"""
STORE = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: store{n}}}
spec:
  replicas: 3
  serviceName: store{n}
  template:
    metadata: {{labels: {{app: store{n}}}}}
    spec: {{containers: [{{name: redis, image: "redis:7"}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: store{n}}}
spec: {{selector: {{app: store{n}}}, ports: [{{port: 6379}}]}}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings{n}}}\ndata: {{STORE_URL: 'redis://store{n}:6379', NEXT_URL: 'http://web{m}:80'}}\n"
OVERLAY = "resources: [../base]\nreplicas: [{{name: web{n}, count: 5}}]\nimages: [{{name: acme/app{n}, newTag: '2'}}]\n"
TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: "{{{{ .Release.Name }}}}-web"}}
spec:
  replicas: {{{{ .Values.replicas }}}}
  template:
    spec:
      containers:
      - name: till
        image: "{{{{ .Values.image }}}}:{n}"
        env:
          {{{{- range $name, $value := .Values.env }}}}
          - {{name: {{{{ $name }}}}, value: {{{{ $value | quote }}}}}}
          {{{{- end }}}}
"""


def files(count: int) -> dict[str, str]:
    """Fifteen files for each system."""
    made: dict[str, str] = {}
    for n in range(max(count // 15, 1)):
        said = {"n": n, "k": n % 9 + 1, "m": n // 2}
        made |= {
            f"compose{n}/docker-compose.yml": COMPOSE.format(**said),
            f"compose{n}/docker-compose.override.yml": "services:\n  web:\n    environment: {DEBUG: '1'}\n",
            f"compose{n}/.env": "DB_HOST=db\n",
            f"app{n}/Dockerfile": f"FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD python -m shop{n}.main\n",
            f"app{n}/start.sh": f'#!/bin/sh\ncase "$1" in\n  worker) exec celery -A shop{n}.tasks worker;;\nesac\n',
            f"app{n}/shop{n}/main.py": "import redis, os\nclient = redis.Redis.from_url(os.environ['STORE_URL'])\n",
            f"app{n}/shop{n}/tasks.py": "from celery import Celery\napp = Celery()\n",
            f"k8s{n}/base/web.yaml": DEPLOYMENT.format(**said),
            f"k8s{n}/base/store.yaml": STORE.format(**said),
            f"k8s{n}/base/settings.yaml": SETTINGS.format(**said),
            f"k8s{n}/base/kustomization.yaml": "resources: [web.yaml, store.yaml, settings.yaml]\n",
            f"k8s{n}/prod/kustomization.yaml": OVERLAY.format(**said),
            f"chart{n}/Chart.yaml": f"name: till{n}\n",
            f"chart{n}/values.yaml": f"replicas: 2\nimage: acme/till\nenv: {{STORE_URL: 'redis://store{n}:6379'}}\n",
            f"chart{n}/templates/web.yaml": TEMPLATE.format(**said),
        }
    return made


def main() -> None:
    """Prints the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made = files(count)
        for path, text in made.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, "utf-8")
        started = time.perf_counter()
        project = open_project(Options(paths=(folder,), root=folder, isolated=True, no_cache=True))
        read = gathered(project)
        extracted = time.perf_counter()
        system = link(read.everything, read.models, read.unread)
        joined = time.perf_counter()
        command = [sys.executable, "-m", "coordlint", "inventory", "--isolated", "--no-cache", "--root", folder, folder]
        subprocess.run(command, capture_output=True, check=True)
        whole = time.perf_counter() - joined
        told = system.deployment
        print(f"{len(made)} files: {len(told.workloads)} workloads, {len(told.coordinators)} coordinators, {len(told.connections)} connections")
        print(f"read and extracted in {extracted - started:.2f} s, joined in {joined - extracted:.2f} s; the whole command {whole:.2f} s")


if __name__ == "__main__":
    main()
