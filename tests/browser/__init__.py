"""The console in Chromium, against a portal in a process of its own."""
