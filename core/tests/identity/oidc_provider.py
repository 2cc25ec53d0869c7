"""node's `oidc-provider`, a certified implementation: npm's package, locked, kept in the cache by its lock file."""

import html
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bootstrap import console
from bootstrap.paths import ROOT, Checkout, cache_dir
from bootstrap.process import Failure, must, say
from bootstrap.stamps import digest, only_one
from openlakes_portal.testing.identity_provider import SignInFailed
from real_servers import child

from .contract import browser, is_callback, walk

HERE = Path(__file__).parent / "node_provider"
READY_WITHIN = 60


class NodeProviderAdmin:
    """What its administrator would do, by addresses of server.js."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    async def _do(self, deed: str, **fields: Any) -> None:
        async with browser() as client:
            (await client.post(f"{self._issuer}/admin/{deed}", json=fields)).raise_for_status()

    async def disable(self, username: str) -> None:
        """Refuse the person from now on; no client is told."""
        await self._do("disable", username=username)

    async def enable(self, username: str) -> None:
        """Undo `disable`: what they held lives again."""
        await self._do("enable", username=username)

    async def logout(self, username: str) -> None:
        """End all sessions of a person; clients are told before this returns, and a client that fails raises."""
        await self._do("logout", username=username)

    async def set_backchannel_logout(self, url: str | None) -> None:
        """Where the portal's client is told of ended sessions."""
        await self._do("backchannel", url=url)


@dataclass(frozen=True)
class NodeProvider:
    """A running oidc-provider. Its access tokens are opaque, those of an exchange are JWTs. It ends nothing
    from server to server: `end_session` is the browser's, with a page to confirm."""

    issuer: str
    process: child.Child
    admin: NodeProviderAdmin
    client_id: str = "openlakes-portal"
    client_secret: str = "openlakes-portal-test-secret"
    audiences: tuple[str, ...] = ("airflow", "superset")
    scope: str = "openid profile email groups"

    async def sign_in(
        self,
        authorization_url: str,
        username: str,
        password: str | None = None,
        *,
        session: httpx.AsyncClient | None = None,
    ) -> str:
        """Fill in the form of server.js; the password of everybody is `<username>-pw`."""
        async with browser(session) as client:
            page = await walk(client, await client.get(authorization_url), self.issuer)
            if 'id="sign-in"' in page.text:
                form = {"username": username, "password": password or f"{username}-pw"}
                page = await walk(client, await client.post(page.url, data=form), self.issuer)
        return is_callback(page)

    async def sign_out(self, end_session_url: str, *, session: httpx.AsyncClient) -> str:
        """Confirm the page that asks whether to sign out everywhere."""
        page = await session.get(end_session_url)
        action = re.search(r'action="([^"]+)"', page.text)
        secret = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        if action is None or secret is None:
            raise SignInFailed(page.text)
        answer = await session.post(html.unescape(action[1]), data={"xsrf": secret[1], "logout": "yes"})
        return is_callback(await walk(session, answer, self.issuer))


def installed() -> tuple[Path, Path]:
    """A node, and the folder `node_modules` with what package-lock.json locks."""
    npm = console.find_npm(Checkout(ROOT))
    node = Path(npm.command[0]) if len(npm.command) > 1 else Path(shutil.which("node") or "node")
    manifests = [HERE / "package.json", HERE / "package-lock.json"]
    home = cache_dir() / f"oidc-provider-{digest(HERE, manifests)[:16]}"
    with only_one(cache_dir() / "oidc-provider.lock"):
        if not home.is_dir():
            _install(npm, manifests, home)
    return node, home / "node_modules"


@contextmanager
def running(node: Path, modules: Path, folder: Path) -> Iterator[NodeProvider]:
    """An oidc-provider on loopback; ready to answer."""
    (folder / "node_modules").symlink_to(modules)
    for name in ("server.js", "package.json"):
        shutil.copy(HERE / name, folder / name)
    port = child.free_port()
    process = child.start([node, "server.js", str(port)], folder / "server.log", cwd=folder)
    issuer = f"http://127.0.0.1:{port}"
    try:
        process.wait_until(lambda: child.accepts(port), READY_WITHIN)
        yield NodeProvider(issuer, process, NodeProviderAdmin(issuer))
    finally:
        process.stop()


def _install(npm: console.Npm, manifests: list[Path], home: Path) -> None:
    say("oidc-provider: installing what its package-lock.json locks")
    draft = home.with_name(f"{home.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for file in manifests:
        shutil.copy(file, draft / file.name)
    command = [*npm.command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    try:
        must(command, "oidc-provider could not be installed. Is the npm registry within reach?", draft, npm.env)
    except Failure:
        shutil.rmtree(draft)
        raise
    draft.rename(home)
