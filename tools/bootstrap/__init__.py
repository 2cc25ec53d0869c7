"""Makes a checkout ready to use: Python environment, console, browser. Standard library only.

Vocabulary: a *stamp* is a file that says from what (a hash of all inputs) a thing was made; it is written last, so that
whatever was interrupted is made again, and a second run costs nothing.
"""
