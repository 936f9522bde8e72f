import json, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

flags = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[2:])
if flags.get("request-timeout") == "2x":
    print("bad --request-timeout", file=sys.stderr)
    sys.exit(2)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        asked = dict(parse_qsl(url.query))
        style = asked.get("style", "context")
        if style not in ["context", "upstream"][: 1 + ("upstream" in flags)]:
            return self.answer(400, error=f"no style {style}")
        if url.path != "/slow" or asked.get("work") == "1ms":
            return self.answer(200)
        time.sleep(int(self.headers.get("grpc-timeout", "2000m")[:-1]) / 1000)
        self.answer(504, reason="deadline", **flags)

    def answer(self, status, **fields):
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
