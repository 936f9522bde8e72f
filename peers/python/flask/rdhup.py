"""Flask whose view asks the kernel between two units of its work whether the client's end of the socket is closed."""
import select
import time

from flask import Flask, abort, request

import witness

app = Flask(__name__)


@app.get("/fast")
def fast():
    return {"endpoint": "fast"}


@app.route("/slow", methods=["GET", "POST"])
def slow():
    client = select.poll()
    client.register(request.environ["gunicorn.socket"], select.POLLRDHUP)
    try:
        work = witness.Work(request.args, request.headers)
        if work.reads:
            request.get_data()
        with work:
            for pause in work:
                time.sleep(pause)
                if time.monotonic() >= work.deadline:
                    raise TimeoutError
                if client.poll(0):
                    return "", 499  # nothing reads it
    except witness.Malformed as error:
        abort(400, str(error))
    except TimeoutError:
        abort(504, "context deadline exceeded")
    return {"endpoint": "slow"}
