"""A self-signed certificate for a server on loopback."""

from openlakes_portal_stack.runner.certificate import self_signed

__all__ = ["self_signed"]
