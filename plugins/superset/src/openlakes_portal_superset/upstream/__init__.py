"""What Superset itself runs, in its own environment: install this package there with `--no-deps`.

Nothing here imports the portal, nor anything that Superset 6.1 does not bring along.
"""
