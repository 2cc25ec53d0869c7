"""A plugin's JavaScript: read once from its wheel, addressed by a hash of the whole, each file with its SHA-384."""

import base64
import hashlib
import mimetypes
from importlib.resources.abc import Traversable

from openlakes_portal._host.records import StageFailed
from openlakes_portal.spi import Module

MAX_FILES = 500
MAX_BYTES = 32 * 1024 * 1024
TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".png": "image/png",
    ".wasm": "application/wasm",
}


def media_type(path: str) -> str:
    """The media type of a file by its name; never the host's idea of it for what browsers run."""
    suffix = path[path.rfind(".") :] if "." in path else ""
    return TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")


def integrity(content: bytes) -> str:
    """Subresource integrity (W3C SRI) by SHA-384."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def collect_assets(module: Module) -> tuple[str, dict[str, bytes]]:
    """A hash of all files, and the files by their path. Raises `StageFailed` where the entry is missing."""
    files: dict[str, bytes] = {}
    try:
        _walk(module.files, "", files)
    except OSError as error:
        raise StageFailed(
            "register_pages", f"The module's files cannot be read: {error}.", "Ship them in the wheel."
        ) from None
    for path in (module.entry, *module.styles):
        if path not in files:
            raise StageFailed(
                "register_pages",
                f"The module has no file {path!r}.",
                "Build the plugin's JavaScript into its package, and have the wheel include it.",
            )
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.encode() + b"\0" + hashlib.sha256(files[path]).digest())
    return digest.hexdigest()[:16], files


def _walk(folder: Traversable, prefix: str, files: dict[str, bytes]) -> None:
    for item in folder.iterdir():
        path = f"{prefix}{item.name}"
        if item.is_dir():
            _walk(item, f"{path}/", files)
            continue
        files[path] = item.read_bytes()
        if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
            raise StageFailed(
                "register_pages", f"The module has more than {MAX_FILES} files or {MAX_BYTES} bytes.", "Ship less."
            )
