"""System: one graph of code and deployment, behind the questions that rules may ask.

The graph engine stays inside: rules see nouns (`coordination`, `deployment`) and question verbs only.
"""

from coordlint.system.running import System
from coordlint.system.world import World

COORDINATORS = ("zookeeper", "etcd", "consul")  # quorum stores: small, linearizable, expensive to write

__all__ = ["COORDINATORS", "System", "World"]
