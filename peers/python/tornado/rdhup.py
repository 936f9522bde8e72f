"""Tornado whose handler asks the kernel between two units of its work whether the client has closed its end."""
import asyncio
import select
import sys
import urllib.parse
import tornado.web
import witness

class Fast(tornado.web.RequestHandler):
    def get(self):
        self.write({"endpoint": "fast"})

class Slow(tornado.web.RequestHandler):
    async def get(self):
        client = select.poll()
        client.register(self.request.connection.stream.socket, select.POLLRDHUP)
        try:
            query = dict(urllib.parse.parse_qsl(self.request.query))
            work = witness.Work(query, self.request.headers, bodies=["read"])
            async with asyncio.timeout(work.timeout):
                with work:
                    for pause in work:
                        await asyncio.sleep(pause)
                        if client.poll(0):
                            return  # nothing reads an answer
        except witness.Malformed as error:
            raise tornado.web.HTTPError(400, str(error)) from None
        except TimeoutError:
            raise tornado.web.HTTPError(504, "context deadline exceeded") from None
        self.write({"endpoint": "slow"})

    post = get

async def main():
    tornado.web.Application([("/fast", Fast), ("/slow", Slow)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
