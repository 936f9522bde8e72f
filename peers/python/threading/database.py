"""Queries on psycopg. The wait for a thread may end; its query does not, unless it is canceled from another thread."""

import contextlib
import queue
import select
import threading
import time

import lab
import settings as flags

CONNECTIONS = 8
PATIENCE = 1  # seconds for a cancel request
psycopg = url = None
slots, idle = threading.BoundedSemaphore(CONNECTIONS), queue.LifoQueue()


def open(settings):
    global psycopg, url
    psycopg, url = flags.driver(settings, "psycopg"), settings.database


class Connection:
    def __init__(self, deadline):
        left = max(2, int(deadline - time.monotonic()))  # The driver takes 1 s for 2.
        self.inner = psycopg.connect(url, autocommit=True, connect_timeout=left)

    def is_silent(self):
        """True while the database has said nothing since the last query; a connection that it has closed is not."""
        return not select.select([self.inner.fileno()], [], [], 0)[0]

    def run(self, statement, deadline):
        """Runs one query, and cancels it at the deadline; with none it runs to its end."""
        if deadline is None:
            self.inner.execute(statement)
            return
        cancel = threading.Timer(max(0, deadline - time.monotonic()), self.cancel)
        cancel.start()
        try:
            self.inner.execute(statement)
        except psycopg.errors.QueryCanceled:
            raise TimeoutError from None
        finally:
            # A cancel on its way would hit the next query.
            cancel.cancel()
            cancel.join()

    def cancel(self):
        with contextlib.suppress(psycopg.Error):
            self.inner.cancel_safe(timeout=PATIENCE)


@contextlib.contextmanager
def lend(deadline):
    """Waits for one of the connections, and takes one that is idle or opens one."""
    if not slots.acquire(timeout=max(0, deadline - time.monotonic())):
        raise TimeoutError
    try:
        connection = take(deadline)
        yield connection
        idle.put(connection)
    except psycopg.Error:
        raise lab.no_database() from None
    finally:
        slots.release()


def take(deadline):
    with contextlib.suppress(queue.Empty):
        while True:
            connection = idle.get_nowait()
            if connection.is_silent():
                return connection
            connection.inner.close()
    return Connection(deadline)
