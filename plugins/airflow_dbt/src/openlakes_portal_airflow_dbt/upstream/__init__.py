"""What runs inside Airflow: an auth manager that believes the portal's tokens and nothing else.

It needs no package that Airflow does not bring, so that it can be installed there without dependencies
(`pip install --no-deps openlakes-portal-airflow-dbt`) and changes none of Airflow's own versions.
"""
