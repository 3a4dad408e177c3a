"""Real incidents: the finding has to be there before the fix, and gone after it.

    python benchmarks/incidents.py CLONES [ID ...] [--verbose]

CLONES holds clones with history, each in a folder owner__name or owner+name (bare, or with a work tree, or with a folder `repo` in it).
Nothing is fetched; an incident whose clone is not there is told as absent. Both commits of each incident of incidents.yaml are written to a
temporary folder and checked with the profile `audit`.

    found   a finding of the incident's rule (or of a name in `also`) stands, itself or with its evidence, within three lines of one of
            the places, on the commit before the fix (within fifteen in manifests, where a finding may point at the head of an object)
    silent  no finding of the rule stands within six lines of `after`, on the fix; counted only where the fix was whole

The exit code is 1 when an incident is not as incidents.yaml says it is: those with `why_missed` are expected to be missed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

INCIDENTS = Path(__file__).with_name("incidents.yaml")
REACH, REACH_IN_MANIFESTS, REACH_AFTER = 3, 15, 6
Table = dict[str, Any]


class Outcome(NamedTuple):
    """What was measured for one incident; `silent` is None where the fix was half."""

    found: bool
    silent: bool | None
    told: tuple[str, ...]  # everything else that stands in the same files before the fix, for --verbose

    @property
    def good(self) -> bool:
        return self.found and self.silent is not False


def main() -> None:
    """Prints a line for each incident, and the sums."""
    words = [a for a in sys.argv[1:] if not a.startswith("--")]
    if not words:
        raise SystemExit(__doc__)
    clones, wanted = Path(words[0]), words[1:]
    incidents = [i for i in yaml.safe_load(INCIDENTS.read_text("utf-8")) if not wanted or i["id"] in wanted]
    outcomes = []
    for incident in incidents:
        git = git_folder(clones, incident["repository"])
        outcome = measure(git, incident) if git else None
        print(row(incident, outcome), flush=True)
        if outcome:
            outcomes.append((incident, outcome))
            if "--verbose" in sys.argv:
                print(*(f"    {line}" for line in outcome.told), sep="\n")
    print(summary(outcomes))
    raise SystemExit(any(outcome.good == ("why_missed" in incident) for incident, outcome in outcomes))


def git_folder(clones: Path, repository: str) -> Path | None:
    """Where the objects of a clone lie; None when there is none."""
    for name in (repository.replace("/", "__"), repository.replace("/", "+")):
        for folder in (clones / name, clones / name / ".git", clones / name / "repo", clones / name / "repo" / ".git"):
            if (folder / "objects").is_dir():
                return folder
    return None


def measure(git: Path, incident: Table) -> Outcome:
    """Both sides of an incident."""
    rule, names = {incident["rule"]}, {incident["rule"], *incident.get("also", ())}
    before = findings(git, incident["before"])
    found = any(f["name"] in names and stands(f, place, reach(place)) for f in before for place in incident["places"])
    paths = {path for path, _, _ in incident["places"]}
    told = tuple(f"{f['path']}:{f['line']} {f['code']} {f['name']}" for f in before if f["path"] in paths)
    if not incident["silent"]:
        return Outcome(found, None, told)
    after = incident["after"]
    still = after and any(f["name"] in rule and stands(f, after, REACH_AFTER) for f in findings(git, incident["fix"]))
    return Outcome(found, not still, told)


def findings(git: Path, commit: str) -> list[Table]:
    """What coordlint tells of a commit. Raises RuntimeError when it broke."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name, text in files(git, commit):
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
        command = [sys.executable, "-m", "coordlint", "check", "--profile", "audit", "--exit-zero", "--isolated", "--no-cache"]
        ran = subprocess.run([*command, "--root", folder, "--format", "json", folder], capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{git}@{commit[:9]}: exit {ran.returncode}: {ran.stderr[-500:]}")
        told: list[Table] = json.loads(ran.stdout)["findings"]
        return told


def files(git: Path, commit: str) -> Iterator[tuple[str, bytes]]:
    """The regular files of a commit with their contents; links and what a partial clone lacks are passed over."""
    listing = subprocess.run(["git", "--git-dir", str(git), "ls-tree", "-r", "-z", commit], capture_output=True, check=True).stdout
    with subprocess.Popen(["git", "--git-dir", str(git), "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin and reader.stdout
        for entry in filter(None, listing.split(b"\0")):
            (mode, kind, blob), path = entry.split(b"\t", 1)[0].split(), entry.split(b"\t", 1)[1]
            if kind != b"blob" or mode == b"120000":
                continue
            reader.stdin.write(blob + b"\n")
            reader.stdin.flush()
            head = reader.stdout.readline().split()
            if len(head) == 3:
                yield path.decode("utf-8", "surrogateescape"), reader.stdout.read(int(head[2]))
                reader.stdout.read(1)


def stands(finding: Table, place: list[Any], slack: int) -> bool:
    """Whether a finding or its evidence stands at a place (path, first line, last line)."""
    path, first, last = place
    spots = [finding, *(finding.get("because") or ())]
    return any(s["path"] == path and first - slack <= s["line"] <= last + slack for s in spots)


def reach(place: list[Any]) -> int:
    """How many lines a finding may stand beside a place."""
    return REACH if str(place[0]).endswith(".py") else REACH_IN_MANIFESTS


def row(incident: Table, outcome: Outcome | None) -> str:
    """One line."""
    if outcome is None:
        return f"{incident['id']:45}{incident['rule']:30}absent"
    found = "found" if outcome.found else "missed"
    silent = {None: "-", True: "silent", False: "still told"}[outcome.silent]
    return f"{incident['id']:45}{incident['rule']:30}{found:8}{silent}"


def summary(outcomes: list[tuple[Table, Outcome]]) -> str:
    """The sums, and the same of the first measurement."""
    judged = [o for _, o in outcomes if o.silent is not None]
    seen = [o for o in judged if o.found]
    first = [i["first"] for i, _ in outcomes if "first" in i]
    lines = [
        f"{len(outcomes)} incidents: found {sum(o.found for _, o in outcomes)}; of the {len(judged)} with a whole fix, found {len(seen)}, "
        f"and silent after it {sum(o.good for o in seen)}",
    ]
    if first:
        whole = [f for f in first if f["silent"] is not None]
        lines.append(
            f"at first, before anything was mended: found {sum(f['found'] for f in first)}; of the {len(whole)}, found {sum(f['found'] for f in whole)}, "
            f"and silent after it {sum(f['found'] and f['silent'] for f in whole)}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
