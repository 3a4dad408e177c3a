"""What is written into a Lease of Kubernetes: its fields, and whether the version goes along."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Operation
from coordlint.models.schema import Late, Op

HEAD = "from kubernetes import client\napi = client.CoordinationV1Api()\n"


def write(text: str) -> Operation:
    found = system({"post.py": HEAD + text})
    return next(o for o in found.operations(backend="kubernetes-lease") if o.op in (Op.WRITE, Op.CAS))


@pytest.mark.parametrize(
    "body",
    [
        '{"metadata": {"name": "post"}, "spec": {"holderIdentity": me}}',
        "client.V1Lease(metadata=client.V1ObjectMeta(name='post'), spec=client.V1LeaseSpec(holder_identity=me))",
        "dict(spec=dict(holderIdentity=me))",
    ],
)
def test_a_body_that_is_built_anew_replaces_whatever_is_there(body: str) -> None:
    made = write(f"def take(me):\n    api.replace_namespaced_lease('post', 'ops', {body})\n")
    assert (made.op, made.late, made.conditional, dict(made.writes)) == (Op.WRITE, Late.OVERWRITE, "", {"holder_identity": "="} | ({"name": "="} if "name" in body else {}))


def test_an_object_that_was_read_carries_its_version() -> None:
    made = write("def take(me):\n    seen = api.read_namespaced_lease('post', 'ops')\n    seen.spec.holder_identity = me\n    api.replace_namespaced_lease('post', 'ops', seen)\n")
    assert made.op is Op.CAS and ("holder_identity", "=") in made.writes


def test_a_patch_with_the_version_is_refused_when_it_is_old() -> None:
    made = write("def take(me, seen):\n    api.patch_namespaced_lease('post', 'ops', {'metadata': {'resourceVersion': seen}, 'spec': {'holderIdentity': me}})\n")
    assert (made.op, made.conditional) == (Op.CAS, "metadata.resourceVersion")


def test_whose_body_nobody_knows_is_what_the_model_says() -> None:
    assert write("def take(body):\n    api.replace_namespaced_lease('post', 'ops', body)\n").op is Op.CAS


def test_a_body_is_followed_to_the_caller_who_builds_it() -> None:
    made = write("def put(body):\n    api.replace_namespaced_lease('post', 'ops', body)\ndef leave():\n    put({'spec': {'holderIdentity': ''}})\n")
    assert made.op is Op.WRITE and dict(made.writes) == {"holder_identity": "null"}
