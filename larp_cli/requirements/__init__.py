"""Two lock files from one ``pyproject.toml``, written both or neither.

``project`` reads which requirements to lock, ``lockfile`` which versions are pinned.
``compiler`` runs pip-tools or uv as a ``process``, ``explain`` turns its errors into a sentence,
``index`` hides private indexes in its output, ``pair`` compiles both files with the same pins.
``verify`` finds faults in them. ``project_lock``, ``publish`` and ``backups`` write them.
"""
