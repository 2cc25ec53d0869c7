import { ErrorState, Modal, toast, useApiMutation } from "@openlakes/ui";
import type { ReactElement } from "react";
import { createSaved, updateSaved, type SavedInput } from "./client";
import { SaveDialogBody } from "./LibraryDrawer";
import { parameterValue } from "./statements";
import type { Tab } from "./tabs";
import { BASE, type SavedQuery } from "./types";

/** Keep the text of a tab under a name; a saved one is changed. */
export function SaveModal({ opened, tab, engine, catalog, schema, canShare, onClose, onSaved }: {
  opened: boolean;
  tab: Tab;
  engine: string;
  catalog: string | null;
  schema: string | null;
  canShare: boolean;
  onClose: () => void;
  onSaved: (part: Partial<Tab>) => void;
}): ReactElement {
  const save = useApiMutation<{ name: string; shared: boolean }, SavedQuery>(
    ({ name, shared }) => {
      const parameters = Object.fromEntries(Object.entries(tab.parameters).map(([k, v]) => [k, parameterValue(v)]));
      const input: SavedInput = { name, sql: tab.sql, engine, catalog, schema, parameters, ...(canShare ? { shared } : {}) };
      return tab.savedId ? updateSaved(tab.savedId, tab.savedVersion, input) : createSaved(input);
    },
    [`${BASE}/saved-queries`],
  );
  return (
    <Modal opened={opened} onClose={onClose} title={tab.savedId ? "Save changes" : "Save query"}>
      <SaveDialogBody
        name={tab.name}
        shared={false}
        canShare={canShare}
        busy={save.isPending}
        onSave={(name, shared) =>
          save.mutate(
            { name, shared },
            {
              onSuccess: (saved) => {
                onSaved({ name, savedId: saved.id, savedVersion: saved.version, savedSql: tab.sql });
                toast("ok", `“${name}” is saved.`);
                onClose();
              },
            },
          )
        }
      />
      {save.error ? <ErrorState error={save.error} /> : null}
    </Modal>
  );
}
