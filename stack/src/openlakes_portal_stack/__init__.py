"""The demo of OpenLakes Portal: its data and, later, the real components without containers."""
