"""FastAPI as its tutorial writes an endpoint: a deadline around the work, and nothing for a client that leaves."""

import asyncio

from fastapi import FastAPI, HTTPException, Request

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
    except witness.Malformed as error:
        raise HTTPException(400, str(error)) from None
    except TimeoutError:
        raise HTTPException(504, "context deadline exceeded") from None
    return {"endpoint": "slow"}
