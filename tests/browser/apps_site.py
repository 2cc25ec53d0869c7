"""Two web pages of a site's own, as somebody's old tools are: `python apps_site.py PORT NAME`.

Each says who it was told it is, keeps what is posted to it, and serves what a test put beside it.
"""

import html
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

NAME = sys.argv[2]
PAGES = Path(sys.argv[3])
kept: list[dict[str, str]] = []


class Page(BaseHTTPRequestHandler):
    """The pages."""

    protocol_version = "HTTP/1.1"

    def who(self) -> str:
        return self.headers.get("X-Remote-User", "nobody")

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/kept":
            return self.answer(json.dumps(kept), "application/json")
        if path == "/seen":
            return self.answer(json.dumps(dict(self.headers)), "application/json")
        file = PAGES / path.lstrip("/")
        if path != "/" and file.is_file():
            return self.answer(file.read_text(), "text/javascript" if path.endswith(".js") else "text/html")
        body = (
            f'<!doctype html><html lang="en"><title>{NAME}</title><h1>{NAME}</h1>'
            f'<p id="who">{html.escape(self.who())}</p><p id="path">{html.escape(self.path)}</p>'
            f'<form method="post" action="/post"><button>Post</button></form></html>'
        )
        return self.answer(body, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        self.rfile.read(length)
        kept.append({"who": self.who(), "path": self.path, "origin": self.headers.get("Origin", "")})
        self.send_response(303)
        self.send_header("Location", "/posted")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Set-Cookie", f"{NAME}=own; Path=/; Domain=openlakes.localhost")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
