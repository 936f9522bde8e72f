"""Counts what a server does, serves the counts, and tells the witness what its work does."""

import collections
import contextlib
import http.server
import json
import socket
import threading
import time


class Census:
    def __init__(self, server, settings, tasks=lambda: None):
        self.server, self.tasks, self.started = server, tasks, time.monotonic()
        self.lock, self.counts = threading.Lock(), collections.Counter()
        self.witness = None
        if settings.witness:
            self.witness = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.witness.connect(settings.witness)
        census = self

        class Admin(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                bodies = {"/census": lambda: json.dumps(census.snapshot()) + "\n", "/metrics": census.metrics}
                body = bodies.get(self.path, str)().encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "application/json" if self.path == "/census" else "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        # A thread of its own, but under the same interpreter lock: work that never lets go of it blinds the census.
        self.admin = http.server.ThreadingHTTPServer(settings.admin, Admin)
        threading.Thread(target=self.admin.serve_forever, name="census", daemon=True).start()

    def announce(self, listening):
        print(*(f"{what} on http://{host}:{port}" for what, (host, port, *_) in
                (("listening", listening), ("admin", self.admin.server_address))), sep="\n", flush=True)

    def add(self, **changes):
        with self.lock:
            for name, change in changes.items():
                self.counts[name] += change

    def snapshot(self):
        with self.lock:
            count = self.counts.copy()
        part = lambda prefix: {name[len(prefix):]: n for name, n in count.items() if name.startswith(prefix)}
        ended = dict.fromkeys(("completed", "deadline", "disconnect", "shutdown", "panic"), 0) | part("ended_")
        return {
            "server": self.server, "uptime_ms": int((time.monotonic() - self.started) * 1000),
            "connections": {"live": count["connections"], "accepted": count["accepted"], "refused": 0},
            "requests": {"live": count["requests"], "started": count["requests_started"],
                         "answered": part("answered_"), "ended": ended},
            "work": {"live": count["work"], "zombie": count["zombie"], "started": count["work_started"],
                     "completed": count["work_completed"], "canceled": count["work_canceled"],
                     "panicked": count["work_panicked"]},
            "contexts": {"live": count["requests"]}, "runtime": {"tasks": self.tasks()},
        }

    def metrics(self):
        """The same numbers in Prometheus' text format."""
        lines = []

        def walk(name, value):
            if isinstance(value, dict):
                for key, inner in value.items():
                    walk(f"{name}_{key}", inner)
            elif isinstance(value, int):
                lines.append(f"{name} {value}\n")

        snapshot = self.snapshot()
        walk("lab", snapshot)
        return "".join(lines) + f"http_server_active_requests {snapshot['requests']['live']}\n"

    @contextlib.contextmanager
    def connection(self):
        self.add(connections=1, accepted=1)
        try:
            yield
        finally:
            self.add(connections=-1)


class Canceled(Exception):
    """Work was told to stop, and stopped."""


class Request:
    """A request that runs, with the work done for it; work that is alive when it ends is a zombie from then on."""

    def __init__(self, census, request_id, given):
        self.census, self.id, self.heard = census, request_id, given and census.witness is not None
        self.alive, self.ended = 0, False
        census.add(requests=1, requests_started=1)

    def end(self, status):
        how = {504: "deadline", 503: "shutdown", 500: "panic"}.get(status, "completed")
        with self.census.lock:
            self.ended = True
            self.census.counts.update({"zombie": self.alive, "requests": -1, f"ended_{how}": 1, f"answered_{status}": 1})

    @contextlib.contextmanager
    def work(self, *stopped):
        """Counts the work while it lives and gives it its beat; the `stopped` are what it ends with when it is canceled."""
        self._say("start")
        self._change("started", 1)
        beats, how = 0, "panicked"

        def beat():
            nonlocal beats
            beats += 1
            self._say(f"beat {beats}")

        try:
            yield beat
            how = "completed"
        except (Canceled, GeneratorExit, *stopped):
            how = "canceled"
            raise
        finally:
            self._say(f"end {how}")
            self._change(how, -1)

    def _change(self, event, change):
        with self.census.lock:
            self.alive += change
            self.census.counts.update({"work": change, f"work_{event}": 1})
            if self.ended:
                self.census.counts["zombie"] += change

    def _say(self, event):
        if self.heard:
            with contextlib.suppress(OSError):
                self.census.witness.send(f"{self.id} {event}".encode())
