"""Trees that speed is measured on: of any size, and copies that know nothing of each other."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def trees() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_trees", BENCHMARKS / "trees.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sixteen lines in four files of one package, and a manifest."""
    package = tmp_path / "source" / "ledger"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("# ledger\n" * 4, "utf-8")
    (package / "locks.py").write_text("import redis\n\n\nlock = redis.Redis().lock('jobs')\n", "utf-8")
    (package / "jobs.py").write_text("import ledger.locks\nfrom ledger import locks\nledger.locks.lock\nother.ledger.x\n", "utf-8")
    (package / "rest.py").write_text("x = 1\n" * 4, "utf-8")
    (tmp_path / "source" / "compose.yaml").write_text("services: {worker: {image: a, command: python -m ledger.jobs}}\n", "utf-8")
    return tmp_path / "source"


def test_copies_have_packages_of_other_names_and_name_no_other_copy(trees, tree: Path, tmp_path: Path) -> None:
    made = trees.scaled(tree, 32, tmp_path / "made")
    assert trees.size(made) == (8, 32)
    assert (made / "copy1/ledger_1/jobs.py").read_text("utf-8") == (
        "import ledger_1.locks\nfrom ledger_1 import locks\nledger_1.locks.lock\nother.ledger.x\n"
    )
    assert "python -m ledger_1.jobs" in (made / "copy1/compose.yaml").read_text("utf-8")


def test_a_smaller_tree_is_made_of_every_so_many_files(trees, tree: Path, tmp_path: Path) -> None:
    assert trees.size(trees.scaled(tree, 8, tmp_path / "made")) == (2, 8)
    assert trees.size(trees.scaled(tree, 24, tmp_path / "made")) == (6, 24)


def test_trees_are_copied_beside_each_other_and_left_as_they_are(trees, tree: Path, tmp_path: Path) -> None:
    made = trees.together([tree, tree], tmp_path / "both")
    assert sorted(place.name for place in made.iterdir()) == ["00-source", "01-source"]
    assert trees.size(made) == (8, 32) and trees.size(tree) == (4, 16)
