"""The embedded PostgreSQL: real server binaries from a wheel, for development.

``server`` is what the rest of larp uses; it shares one server between processes.
``cluster`` runs one data directory, ``launch`` its process, ``postmaster`` reads what
PostgreSQL says about it, ``account`` keeps it away from root, ``binaries`` finds it.
"""

from __future__ import annotations

from larp_cli.postgres.embedded.binaries import installation
from larp_cli.postgres.embedded.cluster import Cluster
from larp_cli.postgres.embedded.server import EmbeddedServer, EmbeddedStatus

__all__ = ["Cluster", "EmbeddedServer", "EmbeddedStatus", "installation"]
