import { expect, it } from "vitest";
import { placeIn } from "../AppFrame";

const app = { id: "airflow", title: "Airflow", address: "https://airflow.lake.example", permission: "airflow:app:open" };

it.each([
  ["/app/airflow", "", "", "https://airflow.lake.example/"],
  ["/app/airflow/", "", "", "https://airflow.lake.example/"],
  ["/app/airflow/dags/x%20y", "?tab=runs&q=%2F", "#log", "https://airflow.lake.example/dags/x%20y?tab=runs&q=%2F#log"],
])("%s%s%s leads to %s", (pathname, search, hash, place) => expect(placeIn(app, pathname, search, hash)).toBe(place));
