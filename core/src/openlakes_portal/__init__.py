"""Core of OpenLakes Portal: sign-in, permissions, routing and the plugin platform."""
