"""Content negotiation by `Accept` (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence


def best_match(accept: str | None, offers: Sequence[str]) -> str | None:
    """The offer that the client accepts best (the first of equals), or None. No header accepts everything."""
    if not offers:
        return None
    if accept is None or not accept.strip():
        return offers[0]
    ranges = [_parse(part) for part in accept[:2000].split(",")]
    best: tuple[float, int] | None = None
    for index, offer in enumerate(offers):
        quality = _quality(offer, ranges)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, index)
    return offers[best[1]] if best else None


def _parse(text: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                quality = 0.0
    return media, quality


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that covers the offer."""
    kind = offer.split("/")[0]
    for pattern in (offer, f"{kind}/*", "*/*"):
        for media, quality in ranges:
            if media == pattern:
                return quality
    return 0.0
