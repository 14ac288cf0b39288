"""Two lock files from one ``pyproject.toml``, published both or neither.

``project`` reads what is wanted, ``lockfile`` what is pinned, ``compiler`` runs pip-tools or
uv, ``verify`` holds the result to its invariants, ``publish`` and ``backups`` write it.
"""
