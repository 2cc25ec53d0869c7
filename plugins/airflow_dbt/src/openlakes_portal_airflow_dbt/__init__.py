"""Airflow 3 in the portal. `plugin` is the portal's side; `upstream` runs in Airflow and imports nothing of ours."""
