// Beside the result of a query: the same query in SQL Lab, as oneself.
import { api, Button, Icon, toast, useNavigate, useSlotValue, type QueryResult } from "@openlakes/ui";
import { useState, type ReactElement } from "react";
import { inShell, sqlLab } from "./client";

export function OpenInSuperset(): ReactElement {
  const query = useSlotValue<QueryResult>();
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const open = async (): Promise<void> => {
    setBusy(true);
    try {
      const body = { sql: query.sql, engine: query.engine, catalog: query.catalog, schema: query.schema };
      const { place } = await api<{ place: string }>(sqlLab, { method: "POST", body });
      void navigate(inShell(place));
    } catch (failure) {
      toast("bad", failure instanceof Error ? failure.message : "Superset could not be asked.");
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button leftSection={<Icon name="chart" />} loading={busy} onClick={() => void open()}>
      Open in Superset
    </Button>
  );
}
