"""Flask as its documentation writes a view, which looks at the clock between two units of its work."""
import time

from flask import Flask, abort, request

import witness

app = Flask(__name__)


@app.get("/fast")
def fast():
    return {"endpoint": "fast"}


@app.route("/slow", methods=["GET", "POST"])
def slow():
    try:
        work = witness.Work(request.args, request.headers)
        if work.reads:
            request.get_data()
        with work:
            for pause in work:
                time.sleep(pause)
                if time.monotonic() >= work.deadline:
                    raise TimeoutError
    except witness.Malformed as error:
        abort(400, str(error))
    except TimeoutError:
        abort(504, "context deadline exceeded")
    return {"endpoint": "slow"}
