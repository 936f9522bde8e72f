"""The endpoint of `polling.py` under a middleware in pure ASGI, which hands `receive` on as it is."""

from polling import app


class AddNothing:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


app.add_middleware(AddNothing)
