"""The edges of one kind, without the graph: what is answered from them is what the graph would answer."""

from __future__ import annotations

import random

import networkx as nx
import pytest
from systems import system

from coordlint.graph import Ways

CHAIN = {
    "app.py": "import steps\ndef main():\n    steps.begin()\n    steps.end()\n",
    "steps.py": "def begin():\n    middle()\ndef middle():\n    end()\n    begin()\ndef end():\n    pass\n",
}


@pytest.mark.parametrize("seed", range(40))
def test_ways_reach_what_the_graph_reaches_and_take_the_same_shortest_way(seed: int) -> None:
    drawn = random.Random(seed)
    names = [f"f{n}" for n in range(drawn.randint(2, 25))]
    edges = [(drawn.choice(names), drawn.choice(names)) for _ in range(drawn.randint(1, 60))]
    ways, graph = Ways((a, b, ()) for a, b in edges), nx.DiGraph()
    for a, b in edges:  # node by node, as the whole graph gives its edges
        graph.add_node(a)
        graph.add_node(b)
    several = nx.DiGraph()
    several.add_edges_from((a, b) for a in graph for b in dict.fromkeys(t for s, t in edges if s == a))
    for start in several:
        assert ways.reached(start) == nx.descendants(several, start) | {start}
        assert ways.reaching(start) == nx.ancestors(several, start) | {start}
        for end in several:
            if start != end:
                assert ways.shortest(start, end) == (nx.shortest_path(several, start, end) if nx.has_path(several, start, end) else [])


def test_callers_and_callees_are_the_edges_of_the_graph() -> None:
    found = system(CHAIN)
    edges = {(source.removeprefix("function "), target.removeprefix("function ")) for source, _, target in found.relations("calls")}
    symbols = {name for edge in edges for name in edge}
    assert edges == {(caller, symbol) for symbol in symbols for caller, _ in found.callers(symbol)}
    assert edges == {(symbol, callee) for symbol in symbols for callee, _ in found.calls_from(symbol)}
    assert ("app.main", "steps.end") in edges


def test_a_way_is_a_shortest_one() -> None:
    assert [str(place) for place in system(CHAIN).way("app.main", "steps.end")] == ["app.py:4"]
