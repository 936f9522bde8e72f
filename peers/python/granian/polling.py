"""Starlette whose endpoint asks `request.is_disconnected()` between two units of its work."""
import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import witness


async def fast(request):
    return JSONResponse({"endpoint": "fast"})


async def slow(request):
    try:
        work = witness.Work(request.query_params, request.headers)
        async with asyncio.timeout(work.timeout):
            if work.reads:
                await request.body()
            with work:
                for pause in work:
                    await asyncio.sleep(pause)
                    if await request.is_disconnected():
                        return Response(status_code=499)  # nothing reads it
    except witness.Malformed as error:
        raise HTTPException(400, str(error)) from None
    except TimeoutError:
        raise HTTPException(504, "context deadline exceeded") from None
    return JSONResponse({"endpoint": "slow"})


app = Starlette(routes=[Route("/fast", fast), Route("/slow", slow, methods=["GET", "POST"])])
