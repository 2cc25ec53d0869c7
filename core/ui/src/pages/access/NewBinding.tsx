// Giving a role, or one permission, to a group, a person or a service account.
import { Autocomplete, SegmentedControl, Select, TextInput } from "@mantine/core";
import { useId, useState, type ReactElement } from "react";
import { api, useApi, useApiMutation } from "../../ui/api";
import { usePermission, usePortal } from "../../ui/session";
import { toast } from "../../ui/toast";
import { Confirm, PreviewView, usePreview } from "./Confirm";
import { PersonSelect } from "./PersonSelect";
import { UntilField, useUntil } from "./UntilField";
import type { Binding, Group, Page, Permission, Preview, Role, ServiceAccount } from "./shapes";
import { fieldErrors, useFieldErrors } from "./field-errors";
import { TOUCHED_BY_BINDINGS } from "./words";

type Kind = "group" | "person" | "service";
type Props = { role?: string; subject?: string; onClose: () => void };

const KINDS: { value: Kind; label: string }[] = [
  { value: "group", label: "A group" },
  { value: "person", label: "A person" },
  { value: "service", label: "A service account" },
];

export function NewBinding({ role: fixedRole, subject: fixedSubject, onClose }: Props): ReactElement {
  const [kind, setKind] = useState<Kind>(fixedSubject?.startsWith("service:") ? "service" : fixedSubject ? "person" : "group");
  const [whom, setWhom] = useState(fixedSubject ?? "");
  const [role, setRole] = useState(fixedRole ?? "");
  const [resource, setResource] = useState("");
  const [reason, setReason] = useState("");
  const until = useUntil();
  const [errors, setErrors] = useFieldErrors({ whom, role, resource, reason, expires_at: until.key });
  const permissions = useApi<{ items: Permission[] }>("/api/access/permissions").data?.items ?? [];
  const roles = useApi<{ items: Role[] }>("/api/roles").data?.items ?? [];
  const { reload } = usePortal();
  const held = roles.find((r) => r.name === role)?.permissions ?? [role];
  const scoped = permissions.some((p) => p.scoped && held.includes(p.name));
  const send = (dryRun: boolean, why: string): Promise<{ binding: Binding; preview: Preview }> =>
    api(`/api/role-bindings${dryRun ? "?dry_run=true" : ""}`, {
      method: "POST",
      body: {
        role,
        ...(kind === "group" ? { group: whom.trim() } : { subject: whom.trim() }),
        ...(scoped && resource.trim() ? { resource: resource.trim() } : {}),
        expires_at: until.at,
        reason: why,
      },
    });
  const whole = role !== "" && whom.trim() !== "" && until.at !== undefined;
  const tried = usePreview(whole ? JSON.stringify([kind, whom, role, scoped && resource, until.key]) : null, async () => (await send(true, "preview")).preview);
  const save = useApiMutation<void, { binding: Binding }>(() => send(false, reason.trim()), TOUCHED_BY_BINDINGS);
  const run = async (): Promise<void> => {
    const found: Record<string, string> = {};
    if (whom.trim() === "") found["whom"] = "Choose who gets it.";
    if (role === "") found["role"] = "Choose what is given.";
    if (until.at === undefined) found["expires_at"] = "Choose a day.";
    if (reason.trim() === "") found["reason"] = "Say why: it stays with the binding.";
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    try {
      await save.mutateAsync();
    } catch (error) {
      const { group, subject, ...rest } = fieldErrors(error);
      const named = group ?? subject;
      setErrors(named ? { ...rest, whom: named } : rest);
      return;
    }
    toast("ok", "The binding is made; it counts within a second.");
    onClose();
    await reload();
  };
  return (
    <Confirm title="New binding" verb="Create binding" disabled={tried.pending} onClose={onClose} run={run} size="xl">
      {fixedSubject ? null : <Whom kind={kind} whom={whom} error={errors["whom"]} onKind={(next) => { setKind(next); setWhom(""); }} onWhom={setWhom} />}
      {fixedRole ? null : (
        <Select
          label="Gives"
          description="A role, or one permission"
          searchable
          placeholder="Find a role or a permission"
          nothingFoundMessage="Nothing found"
          error={errors["role"]}
          data={[
            { group: "Roles", items: roles.map((r) => r.name) },
            { group: "Permissions", items: permissions.map((p) => p.name) },
          ]}
          value={role || null}
          onChange={(value) => setRole(value ?? "")}
        />
      )}
      {scoped ? (
        <TextInput label="Only for (optional)" description="What matches; without this, everything" placeholder="catalog=lakehouse/schema=nyc_*" maxLength={500} value={resource} error={errors["resource"]} onChange={(e) => setResource(e.currentTarget.value)} />
      ) : null}
      <UntilField until={until} error={errors["expires_at"]} />
      <TextInput label="Reason" maxLength={300} value={reason} error={errors["reason"]} onChange={(e) => setReason(e.currentTarget.value)} />
      <PreviewView tried={tried} />
    </Confirm>
  );
}

type WhomProps = { kind: Kind; whom: string; error?: string; onKind: (kind: Kind) => void; onWhom: (whom: string) => void };

function Whom({ kind, whom, error, onKind, onWhom }: WhomProps): ReactElement {
  const label = useId();
  const groups = useApi<{ items: Group[] }>(kind === "group" ? "/api/groups" : null).data?.items ?? [];
  const mayList = usePermission("core:service-account:manage");
  const accounts = useApi<Page<ServiceAccount>>(kind === "service" && mayList ? "/api/service-accounts?limit=500" : null).data?.items ?? [];
  return (
    <div className="whom">
      <p className="ask-label" id={label}>
        To
      </p>
      <SegmentedControl aria-labelledby={label} data={KINDS} value={kind} onChange={(value) => onKind(value as Kind)} />
      {kind === "group" ? (
        <Autocomplete label="Group" description="As the identity provider states it; it may be one that nobody here is in yet" data={groups.map((g) => g.name)} value={whom} error={error} maxLength={300} onChange={onWhom} />
      ) : kind === "person" ? (
        <PersonSelect label="Person" value={whom} error={error} onChange={onWhom} />
      ) : (
        <Autocomplete label="Service account" placeholder="service:nightly" data={accounts.map((a) => a.username)} value={whom} error={error} maxLength={300} onChange={onWhom} />
      )}
    </div>
  );
}
