"""JSON: the fields that other programs read."""

import json

from reports import FULL

from coordlint.report import render


def test_the_fields_are_those_of_version_one() -> None:
    told = json.loads(render(FULL, "json"))
    assert told["version"] == 1
    assert told["coverage"] == {
        "seen": 9,
        "analysed": 8,
        "skipped": [{"path": "broken.py", "line": 3, "reason": "syntax error: '(' was never closed"}],
        "left_out": {"virtual environment": 1},
    }
    first = told["findings"][0]
    assert first == {
        "code": "CL101",
        "name": "lock-without-fencing",
        "severity": "error",
        "confidence": "high",
        "message": "charge() writes the ledger under a Redis lock that a late holder can no longer hold.",
        "path": "billing/tasks.py",
        "line": 5,
        "column": 9,
        "end_line": 5,
        "end_column": 34,
        "symbol": "billing.tasks.charge",
        "resource": "acct:{}",
        "because": [
            {"path": "billing/tasks.py", "line": 4, "column": 10, "message": "the lock is taken here"},
            {
                "path": "infra/locks.py",
                "line": 2,
                "column": 9,
                "message": "by this wrapper, whose ttl is None",
            },
        ],
        "help": "Let the row refuse: UPDATE ... WHERE version = <the version read>.",
        "fix": None,
        "fingerprint": FULL.findings[0].fingerprint,
    }
    assert told["findings"][1]["fix"] == {
        "description": "run three",
        "safe": False,
        "edits": [
            {
                "path": "compose file.yaml",
                "line": 4,
                "column": 5,
                "end_line": 4,
                "end_column": 9,
                "replacement": "three",
            }
        ],
    }
    assert [s["suppressed_by"] for s in told["suppressed"]] == [
        {"how": "comment", "reason": "only in tests", "path": "a.py", "line": 1},
        {"how": "baseline", "reason": ""},
    ]
    assert told["summary"] == {
        "error": 1,
        "warning": 1,
        "info": 0,
        "total": 2,
        "suppressed": 2,
        "below_threshold": 4,
        "stale": 1,
    }
    assert told["failures"] == [
        {"what": "rule CL103 lock-without-expiry", "message": "KeyError: 'ttl' (x.py:3)"}
    ]


def test_the_text_is_ascii_and_ends_with_a_newline() -> None:
    text = render(FULL, "json")
    assert text.isascii() and text.endswith("}\n")
