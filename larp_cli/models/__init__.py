"""The declarative base for the application's tables."""

from larp_cli.models.base import Base, metadata_for, table_name
from larp_cli.models.queries import Page, Position, RowNotFound, count, exists, get_or_raise, page
from larp_cli.models.triggers import (
    add_updated_at_triggers,
    create_updated_at_trigger,
    drop_updated_at_trigger,
)
from larp_cli.models.types import JsonArray, JsonObject, UuidArray

__all__ = [
    "Base",
    "JsonArray",
    "JsonObject",
    "Page",
    "Position",
    "RowNotFound",
    "UuidArray",
    "add_updated_at_triggers",
    "count",
    "create_updated_at_trigger",
    "drop_updated_at_trigger",
    "exists",
    "get_or_raise",
    "metadata_for",
    "page",
    "table_name",
]
