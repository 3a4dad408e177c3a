"""The picture as mermaid, dot and JSON: every label is only a label."""

import json

from coordlint.report import graph
from coordlint.report.graph import Edge, Node, Picture

EVIL = 'a"]; end\n%% <b>\\" --> x'
DRAWN = Picture(
    nodes=(Node("s1", "section", EVIL, "a.py", 3), Node("w1", "workload", "worker x3", "compose.yaml", 2)),
    edges=(Edge("w1", "s1", "runs"),),
)


def test_mermaid_has_one_line_a_node_and_an_edge() -> None:
    assert graph.mermaid(DRAWN).splitlines() == [
        "flowchart LR",
        '  s1{{"a#34;#93;#59; end#92;n#37;#37; #60;b#62;#92;#34; --#62; x"}}:::section',
        '  w2["worker x3"]:::workload',
        "  w2 -->|runs| s1",
        "  classDef coordinator stroke-width:3px",
        "  classDef section stroke-dasharray:4",
    ]


def test_dot_quotes_its_labels() -> None:
    assert graph.dot(DRAWN).splitlines() == [
        "digraph coordlint {",
        "  rankdir=LR;",
        '  s1 [shape=hexagon, label="a\\"]; end\\\\n%% <b>\\\\\\" --> x"];',
        '  w2 [shape=box, label="worker x3"];',
        '  w2 -> s1 [label="runs"];',
        "}",
    ]


def test_json_has_nodes_with_places_and_edges_between_them() -> None:
    told = json.loads(graph.json(DRAWN))
    assert told["nodes"][0] == {"id": "s1", "kind": "section", "label": EVIL, "path": "a.py", "line": 3}
    assert told["edges"] == [{"from": "w2", "to": "s1", "label": "runs"}]


def test_a_long_label_is_cut() -> None:
    drawn = Picture((Node("e1", "effect", "x" * 500),), ())
    assert max(len(line) for line in graph.mermaid(drawn).splitlines()) < 120
