"""Images that this repository builds: what stands where in the container, and what starts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from coordlint.link.deploy.catalogue import Catalogue, folder_of, join
from coordlint.link.deploy.interpolation import filled
from coordlint.manifest import UNKNOWN, Dockerfile, Instruction, Stage
from coordlint.models.coordinator_table import coordinator_table
from coordlint.source import Place, Span

MAX_STAGES = 30
_PLAIN = frozenset(("service", "services", "server", "app", "api", "web", "image", "docker", "base", "backend", "worker", "client", "py", "python"))
_UNSET = re.compile(r"^(?:\$(?:\{\w+\}|\w+)/?)+")  # a registry that is set elsewhere, in front of a name
_HAS_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")


@dataclass(frozen=True)
class Copied:
    """A folder or file of the repository, and where it stands in the container."""

    source: str
    target: str


@dataclass(frozen=True)
class Image:
    """What a Dockerfile makes, its earlier stages and locally built bases included."""

    dockerfile: str
    context: str
    base: str  # the first image of the chain that is not built here
    folder: str = ""  # WORKDIR
    environment: Mapping[str, tuple[str, Place]] = field(default_factory=dict)
    entrypoint: tuple[Instruction, Place] | None = None
    command: tuple[Instruction, Place] | None = None
    healthcheck: tuple[Instruction, Place] | None = None
    copied: tuple[Copied, ...] = ()
    exposed: tuple[tuple[int, Place], ...] = ()


@dataclass
class ImageBuilder:
    """Builds each image once; `names` says which image names are built from which (context, Dockerfile, target)."""

    catalogue: Catalogue
    names: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    _made: dict[tuple[str, str, str], Image | None] = field(default_factory=dict)
    _by_label: dict[str, list[str]] | None = None

    def learn_from_scripts(self) -> None:
        """`docker build -t name -f file context` lines of shell scripts name images too."""
        for path, script in sorted(self.catalogue.scripts.items()):
            for command in script.commands:
                words = command.words
                if words[:2] in (("docker", "build"), ("podman", "build")) or words[:3] == ("docker", "buildx", "build"):
                    self._learn(words, folder_of(path))

    def _learn(self, words: tuple[str, ...], folder: str) -> None:
        tags = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-t", "--tag")]
        files = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-f", "--file")]
        context = words[-1]
        for base in (folder, ""):
            place = join(base, context)
            if place is None:
                continue
            file = join(base, files[0]) if files else join(place, "Dockerfile")
            if file in self.catalogue.dockerfiles:
                for tag in tags:
                    self.names.setdefault(bare_name(_UNSET.sub("", tag)), (place, file, ""))
                return

    def build(self, context: str, dockerfile: str, target: str = "") -> Image | None:
        """The image of a build context (a folder of the repository); None when the Dockerfile is not there."""
        key = (context, dockerfile, target)
        if key not in self._made:
            self._made[key] = None  # a base that is built on itself ends here
            file = self.catalogue.dockerfiles.get(dockerfile)
            self._made[key] = self._image(file, context, target) if file else None
        return self._made[key]

    def begun(self, image: str) -> Image | None:
        """The image that a service or script builds, of a name whose end is not known: `till${TAG}`."""
        name = image.strip(UNKNOWN).lstrip("/")
        return self.build(*self.names[name]) if UNKNOWN not in name and name in self.names else None

    def named(self, image: str, workload: str = "", folder: str = "") -> Image | None:
        """An image by its name: one that a service or script builds, else the folder of that name.

        The folder may be named as the image, as the first word of its tag, or as the workload that runs it, or stand above the
        manifest, in `folder`. A bare name that is no official image was built on this machine: from the Dockerfile nearest above the manifest.
        """
        name = bare_name(image)
        if name in self.names:
            return self.build(*self.names[name])
        if coordinator_table().of_image(name) is not None:
            return None  # a folder called redis does not make the image redis ours
        tag = re.match(r"[A-Za-z][A-Za-z_]*(?:-[A-Za-z_]+)*", image[len(name) + 1 :])
        words = [name.rpartition("/")[2]]
        if "/" in name:
            words += [tag[0] if tag else "", workload]
        for word in words:
            found = self._by_folder(word) if word and word != "latest" else None
            if found is not None:
                return self.build(*found)
        if "/" in name:
            above = self._above(name, folder)
            return self.build(*above) if above is not None else None
        if name in coordinator_table().official:
            return None
        while True:
            for beside in (f"Dockerfile.{name.rpartition('-')[2]}", "Dockerfile"):
                file = join(folder, beside)
                if file in self.catalogue.dockerfiles:
                    return self.build(folder, file or beside)
            if not folder:
                return None
            folder = folder_of(folder)

    def _above(self, name: str, folder: str) -> tuple[str, str, str] | None:
        """The Dockerfile of the nearest folder above a manifest, if that folder, or the package in the root, is named as the image.

        `auth-service/Dockerfile` for `shop/auth` in `auth-service/manifest/`; the root's for `shop/till-web` where a package is called `till`.
        """
        words = re.findall(r"[a-z0-9]+", name.rpartition("/")[2].lower())
        if not set(words[1:]).isdisjoint(coordinator_table().official):
            return None  # `shop/till-elasticsearch` is a server that the project has changed, and not its program
        for word in reversed(words[1:]):
            if word not in _PLAIN and (found := self._by_folder(word)) is not None:
                return found  # `shop/till-checkout`, where `checkout` is built by itself
        while folder:
            file = f"{folder}/Dockerfile"
            if file in self.catalogue.dockerfiles:
                told = set(re.findall(r"[a-z0-9]+", folder.rpartition("/")[2].lower()))
                return (folder, file, "") if told & (set(words) - _PLAIN) else None
            folder = folder_of(folder)
        packages = ["_".join(words[:length]) for length in range(len(words), 0, -1)]
        is_ours = any(f"{home}{package}/__init__.py" in self.catalogue.python_files for package in packages for home in ("", "src/"))
        return ("", "Dockerfile", "") if is_ours and "Dockerfile" in self.catalogue.dockerfiles else None

    def _by_folder(self, word: str) -> tuple[str, str, str] | None:
        """`gateway/Dockerfile`, `Dockerfile.gateway` or `gateway.Dockerfile` for an image `.../gateway`, if only one fits."""
        exact = self._labels().get(_key(word), [])
        return (folder_of(exact[0]), exact[0], "") if len(exact) == 1 else None

    def _labels(self) -> dict[str, list[str]]:
        """Dockerfiles by the words that their folders and names give them."""
        if self._by_label is None:
            self._by_label = {}
            for path in sorted(self.catalogue.dockerfiles):
                folder, _, name = path.rpartition("/")
                labels = {folder.rpartition("/")[2]} if name.lower() == "dockerfile" else set()
                labels |= {part for part in re.split(r"[._-]", name) if part.lower() not in ("dockerfile", "")}
                for label in sorted({_key(label) for label in labels} - {""}):
                    self._by_label.setdefault(label, []).append(path)
        return self._by_label

    def _image(self, file: Dockerfile, context: str, target: str) -> Image:
        by_name = {stage.name: stage for stage in file.stages if stage.name}
        by_name |= {str(number): stage for number, stage in enumerate(file.stages)}
        last = by_name.get(target) or file.stages[-1]
        return self._stage(file, context, last, by_name, 0)

    def _stage(self, file: Dockerfile, context: str, stage: Stage, known: Mapping[str, Stage], depth: int) -> Image:
        base_name = filled(stage.base, file.arguments)
        parent: Image | None = None
        if depth < MAX_STAGES:
            if base_name in known and known[base_name] is not stage:
                parent = self._stage(file, context, known[base_name], known, depth + 1)
            elif bare_name(base_name) in self.names:
                parent = self.build(*self.names[bare_name(base_name)])
        image = parent or Image(file.path, context, base_name)
        folder, environment, copied = image.folder, dict(image.environment), list(image.copied)
        entrypoint, command, healthcheck = image.entrypoint, image.command, image.healthcheck
        exposed = list(image.exposed)
        values: dict[str, str | None] = {name: value for name, (value, _) in environment.items()}
        values |= file.arguments
        for instruction in stage.instructions:
            place = Place(file.path, Span(instruction.line))
            copied += [
                Copied(f"{file.path}<<{name}", posixpath.normpath(posixpath.join(folder or "/", filled(name, values))))
                for name in instruction.writes
            ]
            words = instruction.words
            match instruction.name:
                case "WORKDIR" if words:
                    folder = posixpath.join(folder or "/", filled(words[0], values))
                case "ARG" if words and "=" in words[0]:
                    values.setdefault(words[0].partition("=")[0], words[0].partition("=")[2])
                case "ENV":
                    for word in words:
                        name, _, value = word.partition("=")
                        values[name] = filled(value, values)
                        environment[name] = (values[name] or "", place)
                case "COPY" | "ADD":
                    copied += self._copies(file, context, instruction, folder, known, stage, values, depth)
                case "ENTRYPOINT":
                    entrypoint, command = (instruction, place), None
                case "CMD":
                    command = (instruction, place)
                case "HEALTHCHECK":
                    healthcheck = (instruction, place)
                case "EXPOSE":
                    ports = (word.partition("/")[0] for word in words)
                    exposed += [(int(port), place) for port in ports if port.isdigit()]
        return Image(
            file.path, context, image.base, folder, environment, entrypoint, command, healthcheck, tuple(copied), tuple(exposed)
        )

    def _copies(
        self,
        file: Dockerfile,
        context: str,
        instruction: Instruction,
        folder: str,
        known: Mapping[str, Stage],
        stage: Stage,
        values: Mapping[str, str | None],
        depth: int,
    ) -> list[Copied]:
        words = [filled(word, values) for word in instruction.words if not word.startswith("--")]
        if len(words) < 2:
            return []
        target = posixpath.normpath(posixpath.join(folder or "/", words[-1]))
        is_folder = words[-1].endswith(("/", ".")) or len(words) > 2
        origin = next((word[7:] for word in instruction.words if word.startswith("--from=")), None)
        if origin is not None:
            if origin not in known or known[origin] is stage or depth >= MAX_STAGES:
                return []
            inner = self._stage(file, context, known[origin], known, depth + 1)
            return [
                Copied(c.source, posixpath.normpath(target + "/" + c.target[len(source) :].lstrip("/")))
                for source in (posixpath.normpath(posixpath.join(inner.folder or "/", w)) for w in words[:-1])
                for c in inner.copied
                if c.target == source or c.target.startswith(source.rstrip("/") + "/")
            ]
        made = []
        for word in words[:-1]:
            source = join(context, word.lstrip("/") or ".")
            if source is None or "*" in source:
                continue
            is_file = self.catalogue.exists(source) or bool(_HAS_SUFFIX.search(source.rpartition("/")[2]))
            name = source.rpartition("/")[2]
            made.append(Copied(source, posixpath.join(target, name) if is_file and is_folder else target))
        return made


def bare_name(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name


def _key(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())
