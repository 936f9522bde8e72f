"""FastAPI whose endpoint asks `request.is_disconnected()` between two units of its work."""

import asyncio

from fastapi import FastAPI, HTTPException, Request, Response

import witness

app = FastAPI()


@app.get("/fast")
async def fast():
    return {"endpoint": "fast"}


@app.api_route("/slow", methods=["GET", "POST"])
async def slow(request: Request):
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
    return {"endpoint": "slow"}
