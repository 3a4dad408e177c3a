"""What the calls of libraries mean: one YAML file per library, loaded into frozen types.

`Models.load(imports)` reads the files that a project needs, and the user's own; its methods answer what a name, a
type or a call is. Mistakes in a file are told all at once, with file and line.
"""

from coordlint.models.loader import ModelError, ModelsInvalid
from coordlint.models.lookup import Models
from coordlint.models.schema import (
    CallModel,
    Duration,
    Late,
    Library,
    LockModel,
    OnBusy,
    Op,
    Scope,
    TypeModel,
    When,
)

__all__ = [
    "CallModel",
    "Duration",
    "Late",
    "Library",
    "LockModel",
    "ModelError",
    "Models",
    "ModelsInvalid",
    "OnBusy",
    "Op",
    "Scope",
    "TypeModel",
    "When",
]
