"""Plugins of strangers, as their wheels would install them: one in pure Python, one with JavaScript, one broken."""
