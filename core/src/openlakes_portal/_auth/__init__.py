"""Signing in and staying signed in: personas of the demo, sessions on the server, guards of mutations."""
