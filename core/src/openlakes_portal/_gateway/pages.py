"""What a person sees at an app's address when the app itself is not there: plain pages, without scripts."""

from html import escape

from openlakes_portal._http.request import HttpRequest
from openlakes_portal._http.response import Response
from openlakes_portal.spi import PortalError

STYLE = (
    "body{font:14px/20px system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;"
    "background:#f6f8f9;color:#13202a}main{max-width:30rem;padding:24px;border:1px solid #dde4e8;border-radius:6px;"
    "background:#fff}h1{font-size:18px;line-height:24px;margin:0 0 8px}p{margin:0 0 8px}a{color:#0a6a6c}"
    "small{color:#5d6b77}@media(prefers-color-scheme:dark){body{background:#0d1317;color:#e4ecf1}"
    "main{background:#131b21;border-color:#24303a}a{color:#45c6c0}small{color:#8b99a5}}"
)


def is_navigation(request: HttpRequest) -> bool:
    """Whether a person is waiting for a page (Fetch Metadata; the Accept header of browsers that do not send it)."""
    if request.scope["method"] not in ("GET", "HEAD"):
        return False
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    return "text/html" in (request.headers.get("accept") or "")


def page(error: PortalError, title: str, portal: str, request_id: str) -> Response:
    """A page that says what is wrong with an app, and the way back."""
    from base64 import b64encode
    from hashlib import sha256

    style = b64encode(sha256(STYLE.encode()).digest()).decode()
    remedy = f"<p>{escape(error.remedy)}</p>" if error.remedy else ""
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><main><h1>{escape(title)}: {escape(error.title)}</h1>"
        f"<p>{escape(error.detail)}</p>{remedy}"
        f'<p><a href="{escape(portal)}/" target="_top">Back to the portal</a></p>'
        f"<small>Request {escape(request_id)}</small></main></html>"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors 'self' {portal}",
    }
    return Response(error.status, body.encode(), headers)
