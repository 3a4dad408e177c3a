"""A workload on Kubernetes registers itself, or looks up others, in a coordinator of its own.

Why: Kubernetes already keeps what such a registry holds: the endpoints of every Service, made from the pods that pass their
readiness probe, and names for them in DNS. A second registry has to be run, secured and kept available, sees a pod's death
later than the endpoints controller or not at all, and hands out pod addresses that a rolling update has already taken away.

Instead: call the Service by its name (`http://payments.shop.svc`), a headless Service where the client wants all addresses;
let readiness probes decide who is listed. On ECS use Cloud Map or the load balancer.

Fine when: callers live outside the cluster or in several of them, on virtual machines too, or a mesh does the registering.
Plain compose has no endpoints that follow readiness: its names reach whatever container is up, so a registry may add something
there. A compose file with the keys of the ECS integration (`x-aws-...`) runs where Cloud Map keeps them.

Sources: Kubernetes documentation, Service and DNS for Services and Pods; Consul documentation, Consul on Kubernetes.
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Evidence,
    Found,
    Op,
    Operation,
    System,
    Workload,
    backend_name,
    found,
    rule,
)

_ON_KUBERNETES = ("deployment", "statefulset", "daemonset", "replicaset", "pod")
_REGISTRY = frozenset({"service", "provider", "instance", "endpoint", "upstream", "registry", "discovery"})
_ELSEWHERE = frozenset({"vm", "datacenter", "dc", "region", "federation", "multicluster", "external", "edge", "mesh"})


@rule("CL208", severity=WARNING)
def service_discovery_on_kubernetes(system: System) -> Iterator[Found]:
    uses = [use for use in system.operations(backend=COORDINATORS) if _discovery(use) and not (use.key_words | use.symbol_words) & _ELSEWHERE]
    told: set[tuple[str, str]] = set()
    for use in sorted(uses, key=lambda o: (not _is_led_to(system, o), not o.key)):  # who asks for a certain service comes before who lists them all
        how = _discovery(use)
        if (use.place.path, how) in told:
            continue  # the catalogue, and then the instances of each service in it: one look-up
        told.add((use.place.path, how))
        further = [(o.place, "and here") for o in uses if o.place.path == use.place.path and o is not use and _discovery(o) == how]
        workload = next((w for w in system.workloads_of(use.symbol) if w.kind in _ON_KUBERNETES or w.named_by is not None), None)
        if workload is None:
            continue
        yield found(
            f"{how} in {backend_name(use.backend)}{_named(use)}, in a workload that {_giver(workload)} already gives "
            f"{_given(workload)}.",
            at=use,
            because=[(workload.place, f"{workload.kind} {workload.name} runs this code"), *_proof(workload), *further[:2], *use.origin],
            confidence=HIGH if workload.names else MEDIUM,
        )


def _discovery(use: Operation) -> str:
    """What the operation does for discovery; empty when it is something else."""
    if use.op is Op.REGISTER:
        return "Registers a service"
    if use.op is Op.DISCOVER:
        return "Looks up a service"
    if use.stores and use.ephemeral and use.key_words & _REGISTRY:
        return "Registers an instance"
    if use.op is Op.LIST and use.key_words & _REGISTRY and use.symbol_words & (_REGISTRY | {"discover", "lookup", "resolve"}):
        return "Looks up instances"
    return ""


def _is_led_to(system: System, use: Operation) -> bool:
    """Whether anybody is seen to come there but a test, or the helper's own module when it is tried by hand."""
    return any(e.kind != "test" and not (e.kind == "main" and use.symbol.startswith(f"{e.symbol}.")) for e in system.entries_reaching(use.symbol))


def _giver(workload: Workload) -> str:
    return "Kubernetes" if workload.named_by is None else "ECS"


def _proof(workload: Workload) -> list[Evidence]:
    return [workload.named_by] if workload.named_by is not None else []


def _given(workload: Workload) -> str:
    if workload.named_by is not None:
        return f"a name in Cloud Map ({workload.name})"
    return f"a Service ({workload.names[0]})" if workload.names else "DNS names and endpoints"


def _named(use: Operation) -> str:
    return f" (`{use.key_text or use.key}`)" if use.key else ""


EXAMPLES = '''
=== bad: the catalogue is listed by one function, and its services are asked for by another
--- shop/names.py
import consul

c = consul.Consul(host="consul")


def known():
    return list(c.catalog.services()[1])


def address(service):
    _, nodes = c.health.service(service, passing=True)  # finding: service-discovery-on-kubernetes
    return nodes[0]["Service"]["Address"]
--- shop/main.py
from shop.names import address, known

for service in known():
    print(service, address(service))
--- k8s.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: acme/shop
          command: [python, -m, shop.main]

=== bad: told at what the workload asks, not at what only its tests do
--- shop/names.py
import consul

c = consul.Consul(host="consul")


def all_healthy(service):
    return bool(c.health.service(service, passing=True)[1])


def address(service):
    _, nodes = c.catalog.service(service)  # finding: service-discovery-on-kubernetes
    return nodes[0]["Address"]
--- shop/main.py
from shop.names import address

if __name__ == "__main__":
    print(address("billing"))
--- tests/test_names.py
from shop.names import all_healthy


def test_all_are_healthy():
    assert all_healthy("billing")
--- k8s.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: acme/shop
          command: [python, -m, shop.main]

=== bad: a look-up in two steps is told once
--- shop/names.py
import consul

c = consul.Consul(host="consul")


def instances():
    _, services = c.catalog.services()  # finding: service-discovery-on-kubernetes
    return {name: c.health.service(name, passing=True)[1] for name in services}
--- shop/main.py
from shop.names import instances

print(instances())
--- k8s.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      containers:
        - name: shop
          image: shop
          command: ["python", "-m", "shop.main"]

=== bad: Consul beside a Kubernetes Service
--- payments/app.py
import consul

c = consul.Consul(host="consul")


def register(port):
    c.agent.service.register(  # finding: service-discovery-on-kubernetes
        "payments", port=port, check=consul.Check.tcp("payments", port, "10s")
    )


if __name__ == "__main__":
    register(8080)
--- k8s/payments.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: payments
spec:
  replicas: 3
  selector:
    matchLabels: {app: payments}
  template:
    metadata:
      labels: {app: payments}
    spec:
      containers:
        - name: app
          image: payments
          command: ["python", "payments/app.py"]
---
apiVersion: v1
kind: Service
metadata:
  name: payments
spec:
  selector: {app: payments}
  ports: [{port: 80}]

=== bad: compose on ECS, where Cloud Map names each service
--- shop/main.py
import consul

consul.Consul(host="consul").agent.service.register("shop", port=8080)  # finding: service-discovery-on-kubernetes
--- compose.yaml
x-aws-vpc: vpc-25435e
services:
  shop:
    build: .
    command: python -m shop.main
  consul:
    image: consul:1.9
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .

=== good: the same under compose, on virtual machines
--- payments/app.py
import consul

c = consul.Consul(host="consul")


def register(port):
    c.agent.service.register("payments", port=port, check=consul.Check.tcp("payments", port, "10s"))


if __name__ == "__main__":
    register(8080)
--- compose.yaml
services:
  payments:
    build: .
    command: python payments/app.py

=== good: registration for callers in other data centres
--- edge/app.py
import consul

c = consul.Consul(host="consul")


def register_in_datacenter(port):
    c.agent.service.register("edge", port=port, check=consul.Check.tcp("edge", port, "10s"))


if __name__ == "__main__":
    register_in_datacenter(8080)
--- k8s/edge.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: edge
spec:
  selector:
    matchLabels: {app: edge}
  template:
    metadata:
      labels: {app: edge}
    spec:
      containers:
        - name: app
          image: edge
          command: ["python", "edge/app.py"]

=== good: the Service's name
--- shop/pay.py
import requests


def pay(order):
    return requests.post("http://payments/pay", json=order, timeout=3)
'''
