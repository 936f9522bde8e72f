"""A call to another server: what it is asked, and what its answer means."""

import re
import secrets
import time

import lab

LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")


def ask(settings, request_id, given, trace, deadline, work, tick, hops):
    """The bytes of the request, with what is left of the budget less the reserve; None when nothing is left."""
    budget = int((deadline - time.monotonic() - settings.reserve) * 1e6)
    if budget < 1:
        return None
    style = f"upstream&hops={hops - 1}" if hops > 1 else "context"
    host, port = settings.upstream
    fields = [f"Host: {host}:{port}", "Connection: close", f"grpc-timeout: {grpc_timeout(budget)}"]
    if given:
        fields.append(f"X-Request-Id: {request_id}")
    traceparent, tracestate = trace
    if traceparent:
        # The same trace and flags, with a number of the call's own.
        fields.append(f"traceparent: {traceparent[:36]}{secrets.token_hex(8)}{traceparent[52:]}")
    if tracestate:
        fields.append(f"tracestate: {tracestate}")
    target = f"/slow?work={round(work * 1e6)}us&tick={round(tick * 1e6)}us&style={style}"
    return "\r\n".join([f"GET {target} HTTP/1.1", *fields, "", ""]).encode("latin-1")


def grpc_timeout(micros):
    """A budget in at most eight digits, rounded down."""
    return f"{micros}u" if micros < 10**8 else f"{min(micros // 1000, 10**8 - 1)}m"


def answered(head):
    """Raises what an answer with this head means, unless it is 200. Gives True when another answer follows."""
    match = LINE.match(head)
    if not match:
        raise failed()
    status = int(match[1])
    if status == 504:
        raise lab.Refused(504, "deadline", "context deadline exceeded")
    if status >= 200 and status != 200:
        raise failed()
    return status < 200


def failed():
    return lab.Refused(502, "upstream", "the upstream failed")


def rest(settings, deadline):
    """The seconds for which a 504 waits: an upstream that was given less time is out of it first, and none is early."""
    left = deadline - time.monotonic()
    return max(0, left) if left <= settings.reserve + 0.001 else 0
