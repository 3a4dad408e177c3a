"""What stands around nodes that end with their sessions: the node above them is where somebody looks up who is there.

`create("/storage/" + name, ephemeral=True)` in one service makes `get_children("/storage")` and `exists("/storage/3")` in another a look-up of
services, and `ensure_path("/storage")` a preparation of the membership, although none of their keys says so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from coordlint.coordination import Operation
from coordlint.link.code.calls.resource import Site, site
from coordlint.models.schema import Op
from coordlint.wording import fixed, words

_WITH_TREES = ("zookeeper", "etcd")
_LOOKS = (Op.READ, Op.LIST)
_PREPARES = (Op.CREATE, Op.WRITE, Op.DELETE)


def around_members(uses: Sequence[Operation], told: Mapping[Site, str]) -> Iterator[tuple[Operation, str]]:
    """Calls on the node above members, and on single members, with what they are for: "service-discovery" or "membership".

    Who looks from a module that neither creates members nor watches them wants to reach them; everybody else keeps the membership.
    """
    folders: dict[tuple[str, str], set[str]] = defaultdict(set)  # the modules that create members below a node, or watch it
    for o in uses:
        if o.ephemeral and o.backend in _WITH_TREES and told.get(site(o)) == "membership" and (above := _above(o)):
            folders[o.backend, above].add(o.place.path)
    for o in uses:
        if o.op is Op.WATCH and (o.backend, _plain(o)) in folders:
            folders[o.backend, _plain(o)].add(o.place.path)
    for o in uses:
        for node in (_plain(o), _above(o)):
            if (keepers := folders.get((o.backend, node))) is not None and o.op in (*_LOOKS, *_PREPARES):
                yield o, "service-discovery" if o.op in _LOOKS and o.place.path not in keepers else "membership"
                break


def _plain(o: Operation) -> str:
    """The path of a node without what is filled in."""
    return re.sub(r"\{[^{}]*\}", "{}", o.key or "").strip("/")


def _above(o: Operation) -> str:
    """The path of the node above, where words of its own say which one it is."""
    above = _plain(o).rpartition("/")[0]
    return above if words(fixed(above)) else ""
