"""Plugins of our own SPI that core brings: health, plugins, settings, audit, search, actions, declared pages."""
