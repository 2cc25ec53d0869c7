"""Core of OpenLakes Portal: sign-in, permissions, routing and the plugin platform."""

__version__ = "0.1.0"
