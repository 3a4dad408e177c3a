"""One file's text to what it says. Never looks at another file, never raises for what a file contains."""

from __future__ import annotations

from coordlint.extract.comments import read_comments
from coordlint.extract.python import read_python
from coordlint.extract.python_words import read_words
from coordlint.facts import Facts
from coordlint.source import Kind, Source

__all__ = ["extract"]


def extract(source: Source) -> Facts:
    """Everything that a file says, with a told skip for what could not be read."""
    if source.kind is not Kind.PYTHON:
        # brings YAML, which a hook that looks at Python need not wait for
        from coordlint.extract.manifests import extract_manifest

        return extract_manifest(source)
    module, skips = read_python(source)
    suppressions, intents = read_comments(source, python2=module is not None and module.python2)
    return Facts(
        source.path, source.kind, module=module, manifests=read_words(source), suppressions=suppressions, intents=intents, skips=skips
    )
