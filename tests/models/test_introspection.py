"""Every name, parameter and default of the shipped models, compared with the installed libraries.

Needs the packages of requirements-models.txt. A library that is not installed in the version that its file was `checked`
with is skipped, and says so. Libraries that conflict with others may be installed apart, each in a folder of its own:
`pip install --target DIR/<library> <package>==<checked>`, and DIR named by the variable MODELS_TARGETS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import introspect
import pytest

from coordlint.models import Library, Models

pytestmark = pytest.mark.models
PROGRAM = Path(__file__).with_name("introspect.py")
ROOT = PROGRAM.parent.parent.parent


def apart_of(library: str) -> Path:
    return Path(os.environ.get("MODELS_TARGETS", "/nonexistent"), library)


def environment(library: str) -> dict[str, str]:
    paths = [str(ROOT)]
    apart = apart_of(library)
    if apart.is_dir():
        paths.insert(0, str(apart))
    python_protobuf = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"} if apart.is_dir() else {}
    return {**os.environ, **python_protobuf, "PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}


@pytest.mark.parametrize("library", Models.load().libraries, ids=lambda library: library.library)
def test_names_parameters_and_defaults_are_those_of_the_library(library: Library) -> None:
    if not apart_of(library.library).is_dir() and (reason := introspect.why_not(library)):
        pytest.skip(reason)
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), library.library],
        env=environment(library.library),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer = json.loads(ran.stdout.splitlines()[-1])
    if "skip" in answer:
        pytest.skip(answer["skip"])
    assert answer["mistakes"] == []
