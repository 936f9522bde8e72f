"""Flask whose view gives its work to a pool of threads and waits no longer than the deadline, as many do."""
import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, abort, request

import witness

app = Flask(__name__)
pool = ThreadPoolExecutor(100)


@app.get("/fast")
def fast():
    return {"endpoint": "fast"}


@app.route("/slow", methods=["GET", "POST"])
def slow():
    try:
        work = witness.Work(request.args, request.headers)
        if work.reads:
            request.get_data()
        pool.submit(do, work).result(timeout=work.deadline - time.monotonic())
    except witness.Malformed as error:
        abort(400, str(error))
    except TimeoutError:
        abort(504, "context deadline exceeded")
    return {"endpoint": "slow"}


def do(work):
    with work:
        for pause in work:
            time.sleep(pause)
