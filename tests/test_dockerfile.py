"""Dockerfiles into stages, and into what starts where."""

from __future__ import annotations

import pytest
from deployments import deployed, facts_of, one

from coordlint.manifest import Dockerfile


def read(text: str) -> Dockerfile:
    (facts,) = facts_of({"Dockerfile": text})
    (manifest,) = facts.manifests
    assert isinstance(manifest, Dockerfile)
    return manifest


def test_stages_have_bases_names_and_instructions_with_lines() -> None:
    file = read("ARG V=3.12\nFROM python:${V} AS build\nWORKDIR /src\nFROM build\nCMD [\"python\", \"a.py\"]\n")
    assert [(s.base, s.name, s.line) for s in file.stages] == [("python:${V}", "build", 2), ("build", "", 4)]
    (command,) = file.stages[1].instructions
    assert (command.name, command.words, command.line, command.exec_form) == ("CMD", ("python", "a.py"), 5, True)
    assert file.arguments == {"V": "3.12"}


def test_continued_lines_comments_between_them_and_here_documents() -> None:
    file = read("FROM a\nRUN x \\\n  # why\n  && y\nRUN <<END\nCMD not-one\nEND\nCMD run it\n")
    assert [(i.name, i.line) for i in file.stages[0].instructions] == [("RUN", 2), ("RUN", 5), ("CMD", 8)]


def test_a_file_without_from_is_told() -> None:
    (facts,) = facts_of({"Dockerfile": "RUN x\n"})
    assert facts.skips[0].reason == "no FROM instruction"


BUILT = "services:\n  app:\n    build: {build}\n    {more}\n"


@pytest.mark.parametrize(
    ("dockerfile", "path"),
    [
        ('FROM python\nWORKDIR /app\nCOPY . .\nCMD ["python", "main.py"]', "main.py"),
        ("FROM python\nCOPY src /code\nWORKDIR /code\nCMD python main.py", "src/main.py"),
        ('FROM python\nCOPY src/main.py /run/start.py\nENTRYPOINT ["python"]\nCMD ["/run/start.py"]', "src/main.py"),
        ("FROM python AS b\nWORKDIR /w\nCOPY . .\nFROM python\nCOPY --from=b /w /srv\nCMD python /srv/main.py", "main.py"),
        ("FROM python AS b\nWORKDIR /w\nCOPY . .\nFROM b\nCMD python -m src.main", "src/main.py"),
        ("FROM python\nENV HOME=/w\nWORKDIR $HOME\nADD . $HOME\nCMD exec gunicorn src.main:app", "src/main.py"),
    ],
)
def test_what_an_image_starts_is_a_file_of_the_repository(dockerfile: str, path: str) -> None:
    files = {"compose.yaml": BUILT.format(build=".", more="init: true"), "Dockerfile": dockerfile, "main.py": "", "src/main.py": ""}
    assert [r.path for r in one(deployed(files), "app").runs] == [path]


def test_the_target_stage_and_another_dockerfile_are_chosen_by_the_build() -> None:
    files = {
        "compose.yaml": BUILT.format(build="{context: svc, dockerfile: prod.Dockerfile, target: worker}", more="init: true"),
        "svc/prod.Dockerfile": "FROM python AS worker\nCOPY . /a\nCMD python /a/work.py\nFROM python\nCOPY . /a\nCMD python /a/web.py\n",
        "svc/work.py": "",
        "svc/web.py": "",
    }
    assert [r.path for r in one(deployed(files), "app").runs] == ["svc/work.py"]


def test_the_manifests_command_replaces_that_of_the_image_and_its_entry_point_drops_it() -> None:
    dockerfile = 'FROM python\nWORKDIR /a\nCOPY . .\nENTRYPOINT ["python"]\nCMD ["web.py"]\n'
    base = {"Dockerfile": dockerfile, "web.py": "", "work.py": ""}
    by_command = deployed({**base, "compose.yaml": BUILT.format(build=".", more="command: [work.py]")})
    by_entry = deployed({**base, "compose.yaml": BUILT.format(build=".", more="entrypoint: python work.py")})
    for deployment in (by_command, by_entry):
        assert [r.path for r in one(deployment, "app").runs] == ["work.py"]


def test_a_base_that_is_built_here_gives_its_files() -> None:
    files = {
        "compose.yaml": "services:\n  base: {image: acme/base, build: base}\n  app: {build: app}\n",
        "base/Dockerfile": "FROM python\nWORKDIR /a\nCOPY . .\nCMD python run.py\n",
        "base/run.py": "",
        "app/Dockerfile": "FROM acme/base:latest\nENV X=1\n",
    }
    assert [r.path for r in one(deployed(files), "app").runs] == ["base/run.py"]


def test_an_image_built_on_itself_ends() -> None:
    files = {"compose.yaml": "services:\n  a: {image: acme/a, build: .}\n", "Dockerfile": "FROM acme/a\nCMD x\n"}
    assert one(deployed(files), "a").is_built_here


@pytest.mark.parametrize(
    "writing",
    [
        "COPY <<'EOF' /srv/start.sh\n#!/bin/sh\nexec python run.py\nEOF\n",
        "RUN cat > start.sh <<EOF && chmod +x start.sh\nexec python run.py\nEOF\n",
        "RUN cat <<EOF > /srv/start\n#!/usr/bin/env bash\npython run.py\nEOF\n",
    ],
)
def test_an_entry_script_that_the_dockerfile_writes_is_followed(writing: str) -> None:
    target = "start" if "/start\n" in writing else "start.sh"
    text = f"FROM python\nWORKDIR /srv\nCOPY . .\n{writing}CMD ['/srv/{target}']\n".replace("'/srv", '"/srv').replace(f"{target}'", f'{target}"')
    files = {"Dockerfile": text, "compose.yaml": "services:\n  web: {build: .}\n", "run.py": "print(1)\n"}
    (run,) = one(deployed(files), "web").runs
    assert (run.path, str(run.place)) == ("run.py", f"Dockerfile:{5 + writing.startswith(('COPY', 'RUN cat <<'))}")


def test_a_here_document_that_is_no_script_is_no_program() -> None:
    text = "FROM python\nCOPY <<EOF /srv/app.conf\nexec python run.py\nEOF\nCMD /srv/app.conf\n"
    files = {"Dockerfile": text, "compose.yaml": "services:\n  web: {build: .}\n", "run.py": "print(1)\n"}
    assert one(deployed(files), "web").runs == ()
