"""The endpoint of `polling.py` under one middleware that does nothing, as FastAPI's tutorial writes middleware."""

from fastapi import Request

from polling import app


@app.middleware("http")
async def add_nothing(request: Request, call_next):
    return await call_next(request)
