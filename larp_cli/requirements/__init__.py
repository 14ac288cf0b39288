"""Two lock files from one ``pyproject.toml``, published both or neither.

``project`` reads what is wanted, ``lockfile`` what is pinned. ``compiler`` runs pip-tools or
uv as a ``process``, ``explain`` says why one gave up, ``index`` what must not be seen of it,
``pair`` brings both files together. ``verify`` holds them to their invariants, ``exclusive``,
``publish`` and ``backups`` write them.
"""
