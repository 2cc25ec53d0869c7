"""The console's shell: one HTML page for every address of the console, with a nonce of its own, and its files.

Files have a hash in their name and never change. Those of plugins are in the import map with their SHA-384, so that a
changed file does not run.
"""

import gzip
import json
import re
import secrets
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.responses import Response as StarletteResponse

from openlakes_portal._gateway.apps import own_origin
from openlakes_portal._host.assets import integrity, media_type
from openlakes_portal._host.portal import Portal
from openlakes_portal._http.request import HttpRequest
from openlakes_portal.spi import NotFound, Unavailable

IMMUTABLE = "public, max-age=31536000, immutable"
COMPRESSED = ("text/javascript", "text/css", "application/json", "image/svg+xml")
SAFE_PATH = re.compile(r"^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$")
PAGES = re.compile(r"^/(?:signin|signout|account|x/.+|app/.+|admin(?:/.*)?|operate(?:/.*)?)?$")
"""Addresses that may be a page; all others get the shell with 404, which shows its page for that."""


class Shell:
    """Serves index.html, the core's files and the plugins' files."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._static: Traversable = files("openlakes_portal") / "static"
        self._cache: dict[str, tuple[bytes, bytes | None, str]] = {}
        self._template: str | None = None
        self._import_map: str | None = None

    async def page(self, request: HttpRequest) -> StarletteResponse:
        """The shell, for any address of the console."""
        path = request.scope["path"]
        if path in ("/favicon.ico", "/favicon.svg", "/robots.txt"):
            return self._file("core", path.lstrip("/"), self._static, "public, max-age=86400")
        return self.document(200 if PAGES.match(path) else 404)

    def document(self, status: int, problem: str | None = None) -> StarletteResponse:
        """The shell with this status. `problem` is JSON for the console to show in place of a page."""
        nonce = secrets.token_urlsafe(18)
        html = self._load_template().replace("__NONCE__", nonce)
        if problem is not None:
            html = html.replace("</head>", f'<meta name="openlakes-problem" content="{_escape(problem)}">\n</head>', 1)
        headers = {"content-security-policy": self._policy(nonce), "cache-control": "no-store"}
        return StarletteResponse(html, status, headers, media_type="text/html; charset=utf-8")

    async def core_asset(self, request: HttpRequest) -> StarletteResponse:
        """A file of the console."""
        path = request.path("path")
        return self._file("core", f"assets/{path}", self._static, IMMUTABLE, request)

    async def plugin_asset(self, request: HttpRequest) -> StarletteResponse:
        """A file of a plugin's module, at its current hash only."""
        plugin, _, rest = request.path("rest").partition("/assets/")
        digest, _, path = rest.partition("/")
        contribution = self._portal.registry.contribution(plugin)
        if contribution is None or digest != contribution.asset_hash or path not in contribution.asset_files:
            raise NotFound("There is no such file.")
        return self._answer(f"{plugin}/{digest}/{path}", contribution.asset_files[path], path, IMMUTABLE, request)

    def _file(
        self, owner: str, path: str, root: Traversable, caching: str, request: HttpRequest | None = None
    ) -> StarletteResponse:
        key = f"{owner}/{path}"
        if key not in self._cache:
            if not SAFE_PATH.match(path) or ".." in path:
                raise NotFound("There is no such file.")
            target = root.joinpath(*path.split("/"))
            if not target.is_file():
                raise NotFound("There is no such file.")
            return self._answer(key, target.read_bytes(), path, caching, request)
        return self._answer(key, b"", path, caching, request)

    def _answer(
        self, key: str, content: bytes, path: str, caching: str, request: HttpRequest | None
    ) -> StarletteResponse:
        if key not in self._cache:
            kind = media_type(path)
            packed = gzip.compress(content, 6, mtime=0) if kind in COMPRESSED and len(content) > 500 else None
            self._cache[key] = (content, packed, kind)
        content, packed, kind = self._cache[key]
        headers = {"cache-control": caching, "vary": "Accept-Encoding"}
        accepts = request.headers.get("accept-encoding", "") if request else ""
        if packed is not None and "gzip" in accepts:
            headers["content-encoding"] = "gzip"
            content = packed
        if kind == "text/javascript":
            # Workers take the policy of their own answer: they may fetch from us and run nothing from elsewhere.
            headers["content-security-policy"] = "default-src 'none'; script-src 'self'; connect-src 'self'"
        return StarletteResponse(content, headers=headers, media_type=kind)

    def _load_template(self) -> str:
        if self._template is None:
            index, manifest_file = self._static / "index.html", self._static / "manifest.json"
            if not index.is_file() or not manifest_file.is_file():
                raise Unavailable(
                    "The console is not built, only the API is here.",
                    remedy="Run `make demo` in the checkout, or install the wheel, which has it inside.",
                    retry_after=None,
                )
            manifest = json.loads(manifest_file.read_text("utf-8"))
            imports = {name: f"/{path}" for name, path in manifest["imports"].items()}
            text = index.read_text("utf-8")
            for mark, value in {
                "__IMPORT_MAP__": json.dumps({"imports": imports, "integrity": self._integrity()}),
                "__BASE__": "/",
                "__LANG__": "en",
                "__TITLE__": _escape(self._portal.settings.server.title),
                "__HEAD__": _head(manifest),
            }.items():
                text = text.replace(mark, value)
            self._template = text
        return self._template

    def _integrity(self) -> dict[str, str]:
        return {
            f"/plugins/{c.id}/assets/{c.asset_hash}/{path}": integrity(content)
            for c in self._portal.registry.contributions
            for path, content in c.asset_files.items()
            if path.endswith((".js", ".mjs"))
        }

    def _policy(self, nonce: str) -> str:
        frames = " ".join(["'self'", *self._app_origins()])
        return (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src-elem 'self' 'nonce-{nonce}'; "
            "style-src-attr 'none'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
            f"frame-src {frames}; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'self'; object-src 'none'"
        )

    def _app_origins(self) -> list[str]:
        if self._portal.settings.gateway.mode == "path":
            return []
        public_url = self._portal.settings.server.public_url
        return [own_origin(public_url, app.id) for c in self._portal.registry.contributions for app in c.apps]


def _head(manifest: dict[str, object]) -> str:
    def paths(key: str) -> list[str]:
        value = manifest.get(key, [])
        return [f"/{item}" for item in value] if isinstance(value, list) else []

    lines = [f'<link rel="preload" href="{p}" as="font" type="font/woff2" crossorigin>' for p in paths("fonts")]
    lines += [f'<link rel="modulepreload" href="{p}">' for p in paths("preload")]
    lines += [f'<link rel="stylesheet" href="{p}">' for p in paths("css")]
    lines.append(f'<script type="module" src="/{manifest["entry"]}" nonce="__NONCE__"></script>')
    return "\n".join(lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
