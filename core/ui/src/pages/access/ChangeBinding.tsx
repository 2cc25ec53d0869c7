// Changing until when and for what a binding holds, and taking it back; what that takes from whom is said first.
import { TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { api, useApiMutation } from "../../ui/api";
import { usePortal } from "../../ui/session";
import { toast } from "../../ui/toast";
import { Confirm, PreviewView, usePreview } from "./Confirm";
import { UntilField, useUntil } from "./UntilField";
import type { Binding, Preview } from "./shapes";
import { fieldErrors, useFieldErrors } from "./field-errors";
import { givenWords, reasonWords, TOUCHED_BY_BINDINGS } from "./words";

type Changed = { preview: Preview };
type Props = { binding: Binding; onClose: () => void };

const pathOf = (binding: Binding): string => `/api/role-bindings/${binding.id}`;
const versionOf = (binding: Binding): Record<string, string> => ({ "if-match": `"${binding.version}"` });

/** What a binding is about, in two lines. */
function Facts({ binding }: { binding: Binding }): ReactElement {
  return (
    <dl className="ask-facts">
      <dt>Gives</dt>
      <dd>
        <code>{givenWords({ permission: binding.role, resource: binding.resource })}</code>
      </dd>
      <dt>To</dt>
      <dd>{binding.group === null ? (binding.subject_name ?? binding.subject) : `everybody in ${binding.group}`}</dd>
    </dl>
  );
}

export function ChangeBinding({ binding, onClose }: Props): ReactElement {
  const until = useUntil(binding.expires_at);
  const [resource, setResource] = useState(binding.resource ?? "");
  const [reason, setReason] = useState(reasonWords(binding.reason));
  const [errors, setErrors] = useFieldErrors({ resource, reason, expires_at: until.key });
  const { reload } = usePortal();
  const changes = (): Record<string, unknown> => ({
    ...(until.changed ? { expires_at: until.at } : {}),
    ...(resource.trim() === (binding.resource ?? "") ? {} : { resource: resource.trim() || null }),
    ...(reason.trim() === reasonWords(binding.reason) ? {} : { reason: reason.trim() }),
  });
  const send = (dryRun: boolean): Promise<Changed> =>
    api(`${pathOf(binding)}${dryRun ? "?dry_run=true" : ""}`, { method: "PATCH", body: changes(), headers: versionOf(binding) });
  const key = until.changed || resource.trim() !== (binding.resource ?? "") ? `${until.key} ${resource.trim()}` : null;
  const tried = usePreview(key, async () => (await send(true)).preview);
  const save = useApiMutation<void, Changed>(() => send(false), TOUCHED_BY_BINDINGS);
  const run = async (): Promise<void> => {
    if (until.at === undefined) return setErrors({ expires_at: "Choose a day." });
    if (reason.trim() === "") return setErrors({ reason: "Say why: it stays with the binding." });
    if (Object.keys(changes()).length > 0) {
      try {
        await save.mutateAsync();
      } catch (error) {
        return setErrors(fieldErrors(error));
      }
      toast("ok", "The binding is changed; it counts within a second.");
    }
    onClose();
    return reload();
  };
  return (
    <Confirm title="Change this binding" verb="Save binding" disabled={tried.pending} onClose={onClose} run={run}>
      <Facts binding={binding} />
      <UntilField until={until} error={errors["expires_at"]} />
      <TextInput label="Only for (optional)" placeholder="catalog=lakehouse/schema=nyc_*" value={resource} maxLength={500} error={errors["resource"]} onChange={(e) => setResource(e.currentTarget.value)} />
      <TextInput label="Reason" value={reason} maxLength={300} error={errors["reason"]} onChange={(e) => setReason(e.currentTarget.value)} />
      <PreviewView tried={tried} />
    </Confirm>
  );
}

export function RemoveBinding({ binding, onClose }: Props): ReactElement {
  const { reload } = usePortal();
  const send = (query = ""): Promise<Changed> => api(`${pathOf(binding)}${query}`, { method: "DELETE", headers: versionOf(binding) });
  const tried = usePreview("once", async () => (await send("?dry_run=true")).preview);
  const remove = useApiMutation<void, Changed>(() => send(), TOUCHED_BY_BINDINGS);
  return (
    <Confirm
      title="Take this binding back?"
      verb="Remove binding"
      danger
      disabled={tried.pending || tried.error !== null}
      onClose={onClose}
      run={async () => {
        await remove.mutateAsync();
        toast("ok", "The binding is gone; what it gave ends within a second.");
        onClose();
        await reload();
      }}
    >
      <Facts binding={binding} />
      <PreviewView tried={tried} />
    </Confirm>
  );
}
