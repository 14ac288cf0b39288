"""Write quantities for people."""

from __future__ import annotations


def format_bytes(size: int) -> str:
    """Write a number of bytes in decimal units: ``12.3 MB``."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return format_count(size, "byte")


def format_count(number: int, noun: str) -> str:
    """Write a number with its noun, in the singular or plural: ``1 table``, ``2 tables``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
