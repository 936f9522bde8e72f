"""Tornado whose handler cancels its work in `on_connection_close`."""
import asyncio
import sys
import urllib.parse
import tornado.web
import witness

class Fast(tornado.web.RequestHandler):
    def get(self):
        self.write({"endpoint": "fast"})

class Slow(tornado.web.RequestHandler):
    async def get(self):
        self.task = asyncio.current_task()
        try:
            query = dict(urllib.parse.parse_qsl(self.request.query))
            work = witness.Work(query, self.request.headers, bodies=["read"])
            async with asyncio.timeout(work.timeout):
                with work:
                    for pause in work:
                        await asyncio.sleep(pause)
        except witness.Malformed as error:
            raise tornado.web.HTTPError(400, str(error)) from None
        except TimeoutError:
            raise tornado.web.HTTPError(504, "context deadline exceeded") from None
        self.write({"endpoint": "slow"})

    post = get

    def on_connection_close(self):
        self.task.cancel()

async def main():
    tornado.web.Application([("/fast", Fast), ("/slow", Slow)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
