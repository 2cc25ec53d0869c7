"""The plugin host: finds plugins, loads them one at a time, quarantines what is broken, freezes what they bring.

Vocabulary: a *candidate* is an installed entry point; a *stage* is a step of loading; a *contribution* is what one
plugin brings; the *registry* is the frozen sum of all contributions, from which routes are made.
"""
