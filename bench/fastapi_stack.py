"""The same endpoints as many would write them: FastAPI, SQLAlchemy's async engine, asyncpg."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["PEER_URL"], pool_size=20, max_overflow=0)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Close the pool at the end."""
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "pass"}


@app.get("/health/db")
async def database(response: Response) -> dict[str, Any]:
    """Ask the database for an answer."""
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception as error:
        response.status_code = 503
        return {"status": "fail", "reason": type(error).__name__}
    return {"status": "pass"}


@app.get("/health/ready")
async def ready(response: Response) -> dict[str, Any]:
    """Ask the database whether it takes writes, and at which revision it stands."""
    try:
        async with engine.connect() as connection:
            standby = await connection.scalar(text("SELECT pg_is_in_recovery()"))
            query = text("SELECT version_num FROM larp_manager.alembic_version")
            revision = await connection.scalar(query)
    except Exception as error:
        response.status_code = 503
        return {"status": "fail", "reason": type(error).__name__}
    return {"status": "fail" if standby else "pass", "revision": revision}
