"""Asking what listens on this machine: never by way of a proxy, whatever the environment names.

`urllib.request.urlopen` sends requests for 127.0.0.1 to `http_proxy`, too, where `no_proxy` does not name it: with them
the token and the key of OpenBao.
"""

import urllib.error
import urllib.request
from http.client import HTTPResponse

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(request: str | urllib.request.Request, seconds: float) -> HTTPResponse:
    """The answer. Raises what `urllib.request.urlopen` raises."""
    answer: HTTPResponse = _direct.open(request, timeout=seconds)
    return answer


def answers(address: str, seconds: float = 3) -> bool:
    """Whether a GET of this address is answered with 200."""
    try:
        with ask(address, seconds) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refused:
        refused.close()
    except (OSError, ValueError):
        pass
    return False
