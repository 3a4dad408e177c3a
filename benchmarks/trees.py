"""Trees to measure on: source distributions from the package index, copies of folders, and both in any size."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__", ".coordlint_cache")
MANIFESTS = {".yaml", ".yml", ".toml", ".txt", ".cfg", ".tpl"}


def fetched(name: str, cache: Path) -> Path:
    """The unpacked source distribution of a package: from the cache folder, otherwise as pip downloads it.

    pip asks a source distribution for its metadata, which runs its build; where that fails, the wheel is taken.
    """
    folder = cache / "packages" / name
    if not folder.exists():
        archives = cache / "archives" / name
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(archives)]
        if subprocess.run([*pip, "--no-binary", ":all:", name], check=False).returncode:
            print(f"{name}: no source distribution to be had, the wheel is taken", file=sys.stderr)
            subprocess.run([*pip, "--only-binary", ":all:", name], check=True)
        unpacked = cache / "packages" / f".{name}"
        shutil.rmtree(unpacked, ignore_errors=True)
        for archive in sorted(archives.iterdir()):
            _unpack(archive, unpacked)
        unpacked.rename(folder)
    return folder


def together(trees: Iterable[Path], target: Path) -> Path:
    """Copies of trees beside each other in one new folder, so that nothing is written into the trees themselves."""
    shutil.rmtree(target, ignore_errors=True)
    for number, tree in enumerate(trees):
        shutil.copytree(tree, target / f"{number:02}-{tree.resolve().name}", ignore=LEFT_OUT, symlinks=True, ignore_dangling_symlinks=True)
    return target


def size(tree: Path) -> tuple[int, int]:
    """Python files and their lines."""
    files = _files(tree, {".py"})
    return len(files), sum(file.read_bytes().count(b"\n") for file in files)


def scaled(tree: Path, lines: int, target: Path) -> Path:
    """About so many lines of Python made of a tree: every so many of its files, or copies with packages of other names."""
    shutil.rmtree(target, ignore_errors=True)
    have = max(size(tree)[1], 1)
    whole, rest = divmod(lines, have)
    packages = sorted({place.parent.name for place in _files(tree, {".py"}) if _is_root(place)})
    for number in range(whole):
        _copy(tree, target / f"copy{number}", packages, number, 1.0)
    if rest and (not whole or rest / have > 0.02):
        _copy(tree, target / f"copy{whole}", packages, whole, rest / have)
    return target


def _copy(tree: Path, target: Path, packages: list[str], number: int, share: float) -> None:
    """One copy of a share of a tree's files, its packages and all mentions of them renamed by number."""
    names = "|".join(map(re.escape, packages)) or "(?!)"
    mention = re.compile(rf"(?m)(?<![\w.])(?:(?<=from )|(?<=import )|(?=(?:{names})\.\w))({names})(?!\w)".encode())
    suffix = f"_{number}"
    for endings in ({".py"}, MANIFESTS):
        for place, taken in _evenly(_files(tree, endings), share):
            if not taken:
                continue
            parts = [part + suffix if part in packages else part for part in place.relative_to(tree).parts]
            made = target.joinpath(*parts)
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_bytes(mention.sub(rb"\g<1>" + suffix.encode(), place.read_bytes()))


def _evenly(files: list[Path], share: float) -> Iterator[tuple[Path, bool]]:
    for number, file in enumerate(files):
        yield file, int((number + 1) * share) > int(number * share)


def _is_root(place: Path) -> bool:
    """Whether a file opens a package that lies in no other one."""
    return place.name == "__init__.py" and not (place.parent.parent / "__init__.py").exists()


def _files(tree: Path, endings: set[str]) -> list[Path]:
    return sorted(place for place in tree.rglob("*") if place.suffix in endings and place.is_file() and not place.is_symlink())


def _unpack(archive: Path, target: Path) -> None:
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(target)
        return
    with tarfile.open(archive) as tarred:
        tarred.extractall(target, filter="data")
