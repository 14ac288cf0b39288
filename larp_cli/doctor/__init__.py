"""One report of everything that matters, made of what can be found out."""

from larp_cli.doctor.report import Doctor

__all__ = ["Doctor"]
