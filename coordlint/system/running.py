"""Which workload runs what, and the questions as a whole."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from coordlint.coordination import Served
from coordlint.deployment import Coordinator, Deployment, Workload
from coordlint.facts import Suppression
from coordlint.graph import Ways
from coordlint.source import Place, Span
from coordlint.system.around import Around


class System(Around):
    """The questions that rules may ask. Every answer is sorted by place."""

    @property
    def deployment(self) -> Deployment:
        """Workloads, coordinators and connections, as the manifests tell them."""
        return self._world.deployment

    def workloads(self) -> tuple[Workload, ...]:
        """Everything that runs."""
        return self._world.deployment.workloads

    def coordinators(self, *backends: str) -> tuple[Coordinator, ...]:
        """The coordinators and stores among the workloads."""
        return self._world.deployment.coordinators_of(*backends)

    def workloads_of(self, symbol: str) -> tuple[Workload, ...]:
        """The workloads that run a function: those whose programs import its module, directly or not."""
        module = self._module_of(symbol)
        if module is None:
            return ()
        if module not in self._running:
            self._running[module] = tuple(w for w, started in self._started if any(module in self._reachable(m) for m in started))
        return self._running[module]

    def programs_running(self, workload: Workload, symbol: str) -> frozenset[str]:
        """Of the programs that a workload starts, those that import the module of a function."""
        module = self._module_of(symbol)
        return frozenset(run.program for run in workload.runs if module is not None and module in self._reachable(self._paths.get(run.path, "")))

    def served_with(self, symbol: str) -> tuple[Served, ...]:
        """The servers of several processes whose application imports the module of a function."""
        module = self._module_of(symbol)
        return tuple(s for s in self._world.served if module is not None and module in self._reachable(s.module))

    @cached_property
    def _started(self) -> list[tuple[Workload, list[str]]]:
        """The workloads, with the modules that their programs start with."""
        return [(w, sorted({self._paths.get(run.path, "") for run in w.runs} - {""})) for w in self.workloads()]

    @cached_property
    def _running(self) -> dict[str, tuple[Workload, ...]]:
        return {}

    def _reachable(self, module: str) -> frozenset[str]:
        if module not in self._reachable_modules:
            self._reachable_modules[module] = self._imports.reached(module)
        return self._reachable_modules[module]

    @cached_property
    def _reachable_modules(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _imports(self) -> Ways:
        return Ways((importer, imported, ()) for importer, imported in self._world.imports)

    @cached_property
    def _paths(self) -> dict[str, str]:
        return {path: module for module, path in self._world.modules.items()}

    def imported_by(self, symbol: str) -> tuple[Place, ...]:
        """The files (at their first line) that import the module of a symbol directly; tests are left out."""
        module = self._module_of(symbol)
        if module is None or module not in self._imports:
            return ()
        tests = self._test_files
        importers = (self._world.modules.get(m) for m in self._imports.before[module] if m != module)
        return tuple(sorted(Place(path, Span(1)) for path in importers if path and path not in tests))

    @cached_property
    def _test_files(self) -> frozenset[str]:
        return frozenset(f.place.path for f in self._world.functions.values() if f.in_test)

    def _module_of(self, symbol: str) -> str | None:
        name = symbol
        while name and name not in self._world.modules:
            name = name.rpartition(".")[0]
        return name or None

    def with_suppressions(
        self, *, unused: tuple[tuple[Suppression, str], ...], malformed: tuple[tuple[Suppression, str], ...]
    ) -> System:
        """The same system, once it is known what its suppressions did."""
        return System(replace(self._world, unused_suppressions=unused, malformed_suppressions=malformed))
