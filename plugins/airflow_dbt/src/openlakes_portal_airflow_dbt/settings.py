"""Settings of Airflow in the portal (`plugins.airflow_dbt`)."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, HttpUrl


class Settings(BaseModel, extra="forbid"):
    """An Airflow 3 that believes the portal's tokens (docs/operators/airflow.md)."""

    address: HttpUrl | None = Field(
        None, description="Address of Airflow's API server as the portal reaches it; none: there is no Airflow"
    )
    verify: Path | None = Field(None, description="CA file that its certificate is checked against")
    timeout: float = Field(10.0, gt=0, le=60, description="Seconds before one call is given up")
    app: str = Field(
        "airflow",
        pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$",
        max_length=40,
        description="Public name of its own pages: `<app>.<portal host>`, or `/apps/<app>/` in path mode",
    )
    title: str = Field("Airflow", min_length=1, max_length=40, description="What the console calls it")
    triggerer: bool = Field(
        True, description="Whether a triggerer is expected to run; without one it is not asked about"
    )

    @property
    def origin(self) -> str:
        """Scheme, host and port of its address."""
        parts = urlsplit(str(self.address))
        return f"{parts.scheme}://{parts.netloc}"
