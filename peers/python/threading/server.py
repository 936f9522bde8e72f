"""The fast/slow server on http.server.ThreadingHTTPServer: a thread a connection, and a worker thread for slow work.

The handler waits for its worker with `queue.get(timeout=…)`. When the timeout comes the handler answers 504, and the
worker runs on: Python has no way to stop a thread from outside. Only work that asks an Event stops.
"""

import contextlib
import contextvars
import http.server
import os
import pathlib
import queue
import signal
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))  # what both servers share
import lab
import settings as flags
from census import Canceled, Census
from connection import Connection

SIGNALS = {signal.SIGINT, signal.SIGTERM}
# Threads inherit this, so that a signal waits for the main thread and never ends the process through another one.
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
settings = flags.settings()
census = flags.bound(Census, "python-threading", settings, threading.active_count)
who = contextvars.ContextVar("who")


class Handler(Connection):
    census = census
    request_timeout = settings.request_timeout
    timeout = settings.idle_timeout

    def route(self, path, query, deadline):
        endpoints = {"/fast": (self.fast, {}, "GET, HEAD"), "/slow": (self.slow, lab.SLOW, "GET, HEAD, POST"),
                     "/upload": (self.upload, {}, "POST"), "/stream": (self.stream, lab.STREAM, "GET, HEAD"),
                     "/values": (self.values, {}, "GET, HEAD"), "/panic": (self.panic, {}, "GET, HEAD")}
        if path not in endpoints:
            raise lab.Refused(404, "not-found", "no such path")
        endpoint, takes, self.allow = endpoints[path]
        if self.command not in self.allow.split(", "):
            raise lab.Refused(405, "bad-request", f"method not allowed: it takes {self.allow}")
        return endpoint(deadline, **lab.params(query, **takes))

    def fast(self, _deadline):
        return lab.document(endpoint="fast", request_id=self.counted.id)

    def values(self, _deadline):
        """A new thread starts with an empty context, so the values go along only if they are taken along."""
        who.set((self.counted.id, self.subject))
        found, context = queue.Queue(1), contextvars.copy_context()
        threading.Thread(target=context.run, args=(lambda: found.put(who.get()),)).start()
        request_id, subject = found.get()
        return lab.document(request_id=request_id, subject=subject)

    def upload(self, _deadline):
        return lab.document(bytes=self.read())

    def slow(self, deadline, work, style, tick, body):
        if body == "read":
            self.read()
        if time.monotonic() >= deadline:
            raise lab.Refused(504, "deadline", "context deadline exceeded")
        results, stop, began = queue.Queue(1), threading.Event(), time.monotonic()
        job = (self.counted, style, lab.ticks(work, tick), stop, results)
        threading.Thread(target=run, args=job, daemon=True).start()
        try:
            results.get(timeout=deadline - time.monotonic())
        except (queue.Empty, ValueError):
            stop.set()
            raise lab.Refused(504, "deadline", "context deadline exceeded") from None
        worked = int((time.monotonic() - began) * 1000)
        return lab.document(endpoint="slow", request_id=self.counted.id, worked_ms=worked)

    def stream(self, deadline, chunks, every):
        self.head(200, {"Transfer-Encoding": "chunked"})
        with self.counted.work(OSError) as beat:
            for number, end in enumerate(lab.ticks(chunks * every, every)):
                time.sleep(max(0, min(end, deadline) - time.monotonic()))
                if time.monotonic() >= deadline:
                    raise Canceled
                chunk = lab.document(chunk=number)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                beat()
        self.wfile.write(b"0\r\n\r\n")

    def panic(self, _deadline):
        with self.counted.work():
            raise RuntimeError(f"asked to panic by request {self.counted.id}")


def run(counted, style, ticks, stop, results):
    """Does the work, on a thread of its own."""
    with contextlib.suppress(Canceled), counted.work() as beat:
        for end in ticks:
            if style == "context" and stop.wait(max(0, end - time.monotonic())):
                raise Canceled
            if style == "polling" and stop.is_set():
                raise Canceled
            while style == "spin" and time.monotonic() < end:
                pass
            time.sleep(max(0, end - time.monotonic()))
            beat()
    results.put(None)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 4096
    daemon_threads = True

    def handle_error(self, _request, _client):
        print("failed to serve:", repr(sys.exc_info()[1]), file=sys.stderr)


def main():
    server = flags.bound(Server, settings.listen, Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="accept", daemon=True).start()
    census.announce(server.server_address)
    signal.sigwait(SIGNALS)
    # The second signal ends the process at once, without a KeyboardInterrupt to be unwound.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    lab.stopping.set()
    server.shutdown()
    server.server_close()
    patience = time.monotonic() + settings.shutdown_timeout
    while census.counts["requests"] > 0 and time.monotonic() < patience:
        time.sleep(0.005)
    # The threads are daemons: what still runs ends with the process, in the middle of whatever it does.
    os._exit(1 if census.counts["work"] > 0 else 0)


main()
