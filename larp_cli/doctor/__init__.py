"""A report on everything that can be found out, for a bug report."""

from larp_cli.doctor.report import Doctor

__all__ = ["Doctor"]
