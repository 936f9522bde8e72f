"""FastAPI whose work is a task of its own, canceled as soon as the server says that the client left."""
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
            return await unless_left(request, do(work))
    except witness.Malformed as error:
        raise HTTPException(400, str(error)) from None
    except TimeoutError:
        raise HTTPException(504, "context deadline exceeded") from None

async def do(work):
    with work:
        for pause in work:
            await asyncio.sleep(pause)
    return {"endpoint": "slow"}

async def unless_left(request, awaited):
    tasks = working, leaving = asyncio.create_task(awaited), asyncio.create_task(left(request))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else Response(status_code=499)  # nothing reads it
    finally:
        working.cancel(), leaving.cancel()

async def left(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass
