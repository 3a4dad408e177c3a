"""Options of the test suite, and the command line as tests run it."""

import json
import os

import pytest
from hypothesis import settings

from coordlint.cli import main

# The same examples in every run of CI: what a random one finds should stop its author, not somebody else's change.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="Write the goldens of fixtures/ anew, then read the diff.")


class Ran:
    """What one run of the command line ended with."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict:
        return json.loads(self.out)

    @property
    def codes(self) -> set[str]:
        return {finding["code"] for finding in self.json["findings"]}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        caught = capsys.readouterr()
        assert "Traceback" not in caught.err + caught.out
        return Ran(int(ended.value.code or 0), caught.out, caught.err)

    return run
