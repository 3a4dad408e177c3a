"""Options of the test suite."""

import os

import pytest
from hypothesis import settings

# The same examples in every run of CI: what a random one finds should stop its author, not somebody else's change.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="Write the goldens of fixtures/ anew, then read the diff.")
