// Making an API token: what for, what it may, until when. Its text is shown once.
import { Button, Modal, SegmentedControl, TextInput } from "@mantine/core";
import { useId, useState, type ReactElement } from "react";
import { api, useApi, useApiMutation } from "../../ui/api";
import { formatUtc } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { useReturnFocus } from "../../ui/return-focus";
import { Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Confirm } from "./Confirm";
import { fieldErrors, useFieldErrors } from "./field-errors";
import { PickPermissions } from "./PickPermissions";
import type { Mine, Permission, ServiceAccount, Token } from "./shapes";
import { dateField, endOfDay, inDays } from "./words";

type Made = Token & { token: string };
const ENDS = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "date", label: "Until a day" },
];

/** Whose token it is: one's own, or that of a service account whose tokens are `below` a route. */
type Props = { account?: ServiceAccount; below?: string; onClose: () => void };

export function NewToken({ onClose, ...whose }: Props): ReactElement {
  const [made, setMade] = useState<Made | null>(null);
  return made ? <Shown made={made} as={whose.account?.username ?? "you"} onClose={onClose} /> : <Wanted {...whose} onClose={onClose} onMade={setMade} />;
}

function Wanted({ account, below = "/api/tokens", onClose, onMade }: Props & { onMade: (made: Made) => void }): ReactElement {
  const [name, setName] = useState("");
  const [picked, setPicked] = useState<string[]>([]);
  const [end, setEnd] = useState("30");
  const [date, setDate] = useState(() => dateField(30));
  const [errors, setErrors] = useFieldErrors({ name, permissions: picked, expires_at: end === "date" ? date : end });
  const label = useId();
  const known = useApi<{ items: Permission[] }>("/api/access/permissions");
  const mine = useApi<Mine>(account ? null : "/api/access/mine");
  const mayHold = (p: Permission): boolean =>
    account ? account.roles.some((r) => r.role === p.name || p.roles.includes(r.role)) : (mine.data?.permissions.some((g) => g.permission === p.name) ?? false);
  const make = useApiMutation<{ name: string; permissions: string[]; expires_at: string }, Made>(
    (body) => api(below, { method: "POST", body }),
    [below],
  );
  const run = async (): Promise<void> => {
    const expires = end === "date" ? endOfDay(date) : inDays(Number(end));
    const found: Record<string, string> = {};
    if (name.trim() === "") found["name"] = "Say what it is for; you tell it by this.";
    if (picked.length === 0) found["permissions"] = "Pick at least one: a token without any does nothing.";
    if (expires === undefined) found["expires_at"] = "Choose a day.";
    setErrors(found);
    if (Object.keys(found).length > 0 || expires === undefined) return;
    try {
      onMade(await make.mutateAsync({ name: name.trim(), permissions: picked, expires_at: expires }));
    } catch (error) {
      setErrors(fieldErrors(error));
    }
  };
  return (
    <Confirm title="New API token" verb="Create token" onClose={onClose} run={run} size="xl">
      <p className="t2">
        {account ? `A token acts as ${account.username}, with the permissions that you pick. What the account loses later, it loses too.` : "A token acts as you, with the permissions that you pick. What you lose later, it loses too."}
      </p>
      <TextInput label="Name" data-autofocus maxLength={300} value={name} error={errors["name"]} onChange={(e) => setName(e.currentTarget.value)} description="What it is for: nightly export, laptop of the night shift" />
      <div>
        <p className="ask-label" id={label}>
          It ends
        </p>
        <SegmentedControl aria-labelledby={label} data={ENDS} value={end} onChange={setEnd} />
        {end === "date" ? <TextInput type="date" aria-label="Last day" value={date} min={dateField(0)} onChange={(e) => setDate(e.currentTarget.value)} /> : null}
        {errors["expires_at"] ? (
          <p className="small bad" role="alert">
            {errors["expires_at"]}
          </p>
        ) : null}
      </div>
      <Loaded query={known} rows={4}>
        {(permissions) => <PickPermissions label="What it may" known={permissions.items.filter(mayHold)} picked={picked} onChange={setPicked} error={errors["permissions"]} />}
      </Loaded>
    </Confirm>
  );
}

function Shown({ made, as, onClose }: { made: Made; as: string; onClose: () => void }): ReactElement {
  useReturnFocus();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(made.token);
      toast("ok", "The token is in the clipboard.");
    } catch {
      toast("bad", "The browser does not give access to the clipboard: select the token and copy it.");
    }
  };
  return (
    <Modal opened onClose={onClose} title={`The token “${made.name}”`} size="lg" closeOnClickOutside={false} closeOnEscape={false}>
      <div className="form">
        <p className="note warn">
          <Icon name="warn" />
          <span>This is shown once. Put it where secrets are kept, not into a chat or Git: who has it acts as {as}.</span>
        </p>
        <div className="secret">
          <code data-token>{made.token}</code>
          <Button leftSection={<Icon name="copy" />} onClick={() => void copy()} data-autofocus>
            Copy
          </Button>
        </div>
        <p className="small t2">
          It ends {formatUtc(new Date(made.expires_at))}. Send it as <code>Authorization: Bearer</code>.
        </p>
        <div className="row form-buttons">
          <Button variant="filled" onClick={onClose}>
            I have kept it
          </Button>
        </div>
      </div>
    </Modal>
  );
}
