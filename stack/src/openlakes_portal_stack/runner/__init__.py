"""Starts and keeps the components: what one is, where its things lie, who watches its processes."""
