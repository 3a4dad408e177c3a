"""Which workloads are coordinators, how many members they have, and what they keep."""

from __future__ import annotations

import pytest
from deployments import deployed

from coordlint.deployment import Coordinator
from coordlint.models.coordinator_table import coordinator_table


def only(text: str, **files: str) -> Coordinator | None:
    found = deployed({"compose.yaml": text, **files}).coordinators
    assert len(found) < 2
    return found[0] if found else None


@pytest.mark.parametrize(
    ("image", "backend"),
    [
        ("zookeeper", "zookeeper"),
        ("confluentinc/cp-zookeeper", "zookeeper"),
        ("quay.io/coreos/etcd", "etcd"),
        ("bitnami/etcd", "etcd"),
        ("hashicorp/consul", "consul"),
        ("redis/redis-stack", "redis"),
        ("valkey/valkey", "redis"),
        ("eqalpha/keydb", "redis"),
        ("memcached", "memcached"),
        ("postgis/postgis", "postgres"),
        ("mariadb", "mysql"),
        ("oliver006/redis_exporter", None),
        ("rediscommander/redis-commander", None),
        ("elkozmon/zoonavigator", None),
        ("acme/redis-consumer", None),
        ("acme/consultant", None),
    ],
)
def test_an_image_is_a_coordinators_server_or_not(image: str, backend: str | None) -> None:
    model = coordinator_table().of_image(image)
    assert (model.backend if model else None) == backend


@pytest.mark.parametrize(
    ("service", "backend"),
    [
        ("{image: consul, command: agent -server -bootstrap-expect=3}", "consul"),
        ("{image: consul, command: agent -retry-join=consul.acme.net}", None),
        ("{image: consul, command: consul kv put a b}", None),
        ("{image: redis, command: redis-cli -h store ping}", None),
        ("{image: acme/base, command: redis-server --port 7000}", "redis"),
        ("{image: acme/base, command: sh -c 'redis-server & python app.py'}", None),
        ("{image: postgres, command: psql -h db -c select}", None),
        ("{image: quay.io/coreos/etcd, command: etcd grpc-proxy start}", None),
    ],
)
def test_a_command_decides_whether_the_server_runs(service: str, backend: str | None) -> None:
    found = only(f"services:\n  x: {service}\n")
    assert (found.backend if found else None) == backend


def test_a_coordinator_is_known_by_what_its_dockerfile_builds_on() -> None:
    found = only("services:\n  discovery: {build: zk}\n", **{"zk/Dockerfile": "FROM zookeeper:3.8 AS base\nFROM base\nCOPY zoo.cfg /conf/\n"})
    assert found is not None and found.backend == "zookeeper"


@pytest.mark.parametrize(
    ("volumes", "persistent"),
    [
        ("", False),
        ("volumes: ['zk:/data']", True),
        ("volumes: ['./data:/data']", True),
        ("volumes: ['/data']", False),
        ("tmpfs: [/data]", False),
        ("volumes: ['./zoo.cfg:/conf/zoo.cfg']", False),
        ("volumes: ['state:/srv/state']", None),
        ("volumes: ['x:/var/x/data'], environment: {ZOO_DATA_DIR: /var/x}", True),
    ],
)
def test_storage_is_there_or_not_or_not_known(volumes: str, persistent: bool | None) -> None:
    found = only(f"services:\n  zk: {{image: zookeeper, {volumes}}}\n")
    assert found is not None and found.persistent is persistent


@pytest.mark.parametrize(
    ("environment", "members"),
    [
        ("{}", 1),
        ("{ZOO_SERVERS: 'server.1=zk:2888:3888;2181'}", 1),
        ("{ZOO_SERVERS: 'server.1=a:2888:3888 server.2=b:2888:3888 server.3=c:2888:3888'}", 3),
        ("{ZOOKEEPER_SERVERS: 'a:2888:3888;b:2888:3888;c:2888:3888'}", 3),
        ("{ZOO_SERVERS: 'server.1=a:2888:3888 server.2=b:2888:3888:observer'}", 1),
        ("{ZOO_SERVERS: '${SERVERS}'}", 1),
    ],
)
def test_members_are_counted_from_the_list(environment: str, members: int) -> None:
    found = only(f"services:\n  zk: {{image: zookeeper, environment: {environment}}}\n")
    assert found is not None and found.members == members


def test_numbered_siblings_whose_lists_are_not_known_are_an_ensemble_of_unknown_size() -> None:
    text = "services:\n" + "".join(f"  zk{n}: {{image: acme/zookeeper}}\n" for n in (1, 2, 3))
    (ensemble,) = deployed({"compose.yaml": text}).ensembles()
    assert (ensemble.name, ensemble.members) == ("zk1, zk2, zk3", None)


def test_equal_names_in_two_files_are_two_ensembles() -> None:
    text = "services:\n" + "".join(f"  zk{n}: {{image: zookeeper, environment: {{ZOO_SERVERS: 'server.1=zk1:1:1 server.2=zk2:1:1 server.3=zk3:1:1'}}}}\n" for n in (1, 2, 3))
    assert [len(e.coordinators) for e in deployed({"a-compose.yml": text, "b-compose.yml": text}).ensembles()] == [3, 3]


def test_an_operators_resource_is_a_coordinator_that_it_looks_after() -> None:
    text = "apiVersion: zookeeper.pravega.io/v1beta1\nkind: ZookeeperCluster\nmetadata: {name: zk}\nspec: {replicas: 3}\n"
    (found,) = deployed({"k8s/zk.yaml": text}).coordinators
    assert (found.backend, found.members, found.is_managed, found.persistent) == ("zookeeper", 3, True, None)


@pytest.mark.parametrize(
    ("api", "kind", "spec", "backend", "members"),
    [
        ("etcd.database.coreos.com/v1beta2", "EtcdCluster", "{size: 5}", "etcd", 5),
        ("consul.hashicorp.com/v1", "Consul", "{server: {replicas: 3}}", "consul", 3),
        ("databases.spotahome.com/v1", "RedisFailover", "{redis: {replicas: 2}}", "redis", 2),
        ("redis.redis.opstreelabs.in/v1beta2", "RedisCluster", "{clusterSize: 3}", "redis", 3),
        ("hazelcast.com/v1alpha1", "Hazelcast", "{clusterSize: 4}", "hazelcast", 4),
        ("acid.zalan.do/v1", "postgresql", "{numberOfInstances: 2}", "postgres", 2),
        ("postgresql.cnpg.io/v1", "Cluster", "{instances: 3}", "postgres", 3),
        ("kafka.strimzi.io/v1beta2", "Kafka", "{zookeeper: {replicas: 3}}", "zookeeper", 3),
        ("kafka.strimzi.io/v1beta2", "Kafka", "{kafka: {replicas: 3}}", None, None),
        ("cluster.x-k8s.io/v1beta1", "Cluster", "{instances: 3}", None, None),
        ("apps.example.com/v1", "Gateway", "{replicas: 3}", None, None),
    ],
)
def test_the_table_of_operators_tells_backend_and_members(api: str, kind: str, spec: str, backend: str | None, members: int | None) -> None:
    text = f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: it}}\nspec: {spec}\n"
    found = [(c.backend, c.members) for c in deployed({"k8s/it.yaml": text}).coordinators]
    assert found == ([(backend, members)] if backend else [])


HALF = """
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.14
    restart: always
    ports: ["{port}2379"]
"""


@pytest.mark.parametrize(
    ("port", "more", "half"),
    [
        ("2379:", "", True),
        ("127.0.0.1:2379:", "", False),
        ("2379:", "  web:\n    image: acme/web\n    depends_on: [etcd]\n", False),
        ("2379:", "  web:\n    image: acme/web\n    environment: {ETCD: 'etcd:2379'}\n", False),
        ("2379:", "  web:\n    image: acme/web\n", True),
    ],
)
def test_what_compose_publishes_and_no_service_talks_to_is_for_programs_that_are_started_by_hand(port: str, more: str, half: bool) -> None:
    found = only(HALF.format(port=port) + more)
    assert found is not None and found.is_for_the_host is half
