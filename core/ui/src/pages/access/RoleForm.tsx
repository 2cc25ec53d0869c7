// Making a role, and changing one that was made here; what it would give and take is said first.
import { TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { api, useApi, useApiMutation } from "../../ui/api";
import { usePortal } from "../../ui/session";
import { Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Confirm, PreviewView, usePreview } from "./Confirm";
import { PickPermissions } from "./PickPermissions";
import type { Permission, Preview, Role } from "./shapes";
import { fieldErrors, useFieldErrors } from "./field-errors";

type Saved = { role: Role; preview: Preview };
type Props = { role?: Role; onClose: () => void; onSaved: (name: string) => void };

const NAME = /^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/;

export function RoleForm({ role, onClose, onSaved }: Props): ReactElement {
  const [name, setName] = useState(role?.name ?? "");
  const [description, setDescription] = useState(role?.description ?? "");
  const [picked, setPicked] = useState(role?.permissions ?? []);
  const [errors, setErrors] = useFieldErrors({ name, description, permissions: picked });
  const known = useApi<{ items: Permission[] }>("/api/access/permissions");
  const { reload } = usePortal();
  const send = (dryRun: boolean, text: string): Promise<Saved> => {
    const query = dryRun ? "?dry_run=true" : "";
    const body = { description: text, permissions: picked };
    if (role) return api(`/api/roles/${role.name}${query}`, { method: "PATCH", body, headers: { "if-match": `"${role.version}"` } });
    return api(`/api/roles${query}`, { method: "POST", body: { ...body, name } });
  };
  // A role that nothing binds gives nobody anything, whatever it holds: only changes are worth asking about.
  const tried = usePreview(role ? picked.join(" ") : null, async () => (await send(true, "preview")).preview);
  const save = useApiMutation<void, Saved>(() => send(false, description.trim()), ["/api/roles", "/api/access", "/api/users", "/api/groups"]);
  const run = async (): Promise<void> => {
    const found: Record<string, string> = {};
    if (!NAME.test(name)) found["name"] = "Small letters, digits and single hyphens, beginning with a letter.";
    if (description.trim() === "") found["description"] = "Say in a line who this is for.";
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    try {
      await save.mutateAsync();
    } catch (error) {
      setErrors(fieldErrors(error));
      return;
    }
    toast("ok", role ? `The role ${name} is changed; it counts within a second.` : `The role ${name} is made. Bindings give it to somebody.`);
    onClose();
    onSaved(name);
    await reload();
  };
  return (
    <Confirm title={role ? `Change the role ${role.name}` : "New role"} verb={role ? "Save role" : "Create role"} disabled={tried.pending || tried.error !== null} onClose={onClose} run={run} size="xl">
      {role ? null : (
        <TextInput label="Name" data-autofocus maxLength={64} value={name} error={errors["name"]} onChange={(e) => setName(e.currentTarget.value)} description="Bindings and settings name it: night-shift. It stays." />
      )}
      <TextInput label="Description" maxLength={300} value={description} error={errors["description"]} onChange={(e) => setDescription(e.currentTarget.value)} data-autofocus={role ? true : undefined} />
      <Loaded query={known} rows={4}>
        {({ items }) => <PickPermissions label="What it holds" known={items} picked={picked} onChange={setPicked} error={errors["permissions"]} height="tall" />}
      </Loaded>
      {role ? <PreviewView tried={tried} /> : null}
    </Confirm>
  );
}
