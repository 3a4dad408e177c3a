"""Mechanical cures: findings and the files they point to in, edits out. Nothing is written here.

`known` is the list of cures, one for each kind of change; each has a room of its own. Those of Python are libcst codemods,
and libcst can crash or hang on what it reads: they run in a child process (`asking` starts it, `child` is it). Those of
manifests work by position on the nodes that extraction reads, so that comments and layout stay.
"""

from coordlint.fix.asking import propose as propose
from coordlint.fix.known import CURES as CURES
from coordlint.fix.known import Cure as Cure
from coordlint.fix.known import fixable as fixable
from coordlint.fix.known import sentence as sentence
