"""Words in names and keys."""

from __future__ import annotations

import pytest

from coordlint.wording import fixed, holes, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/users/{}", {"user"}),
        ("cacheKeys", {"cache", "key"}),
        ("HTTPServer", {"http", "server"}),
        ("policies", {"policy"}),
        ("addresses", {"address"}),
        ("status", {"status"}),
        ("", set()),
    ],
)
def test_words_are_lower_case_and_singular(text: str, expected: set[str]) -> None:
    assert words(text) == expected


def test_a_pattern_has_fixed_parts_and_holes() -> None:
    assert fixed("/users/{user.id}/mail") == "/users//mail"
    assert holes("/users/{user.id}/{}") == ("user.id", "")
