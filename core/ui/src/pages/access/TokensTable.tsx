// API tokens that are not revoked, and revoking them.
import { useState, type ReactElement, type ReactNode } from "react";
import { api, useApiMutation } from "../../ui/api";
import { plural } from "../../ui/format";
import { EmptyState } from "../../ui/states";
import { Status } from "../../ui/status";
import { Table, type TableColumn } from "../../ui/table";
import { Time } from "../../ui/time";
import { toast } from "../../ui/toast";
import { Confirm } from "./Confirm";
import type { Token } from "./shapes";
import "./access.css";

type Props = {
  rows: Token[];
  label: string;
  everybody?: boolean;
  action?: ReactNode;
  /** The service account whose tokens these are, and the route that they are below. */
  of?: string;
  below?: string;
};

export function TokensTable({ rows, label, everybody, action, of, below = "/api/tokens" }: Props): ReactElement {
  const [revoking, setRevoking] = useState<Token | null>(null);
  const revoke = useApiMutation<Token, void>((token) => api(`${below}/${token.id}`, { method: "DELETE" }), ["/api/tokens", below]);
  const who: TableColumn<Token>[] = everybody ? [{ id: "who", label: "Whose", value: (t) => t.username }] : [];
  return (
    <>
      <Table
        label={label}
        rows={rows}
        rowKey={(t) => t.id}
        empty={
          <EmptyState title="No token" action={action}>
            {of ? `Made here, one acts as ${of}; what CI exchanges is not listed: it ends within the hour.` : everybody ? "What people make for their scripts is here." : "A script that calls the API signs in with one: it acts as you, with a part of what you may."}
          </EmptyState>
        }
        columns={[
          {
            id: "name",
            label: "Token",
            value: (t) => t.name,
            render: (t) => (
              <span className="person-cell">
                <span className="b">{t.name}</span>
                <span className="small t3">
                  ends in <code>{t.hint}</code>
                </span>
              </span>
            ),
          },
          ...who,
          {
            id: "scope",
            label: "May",
            wide: true,
            value: (t) => t.permissions.join(" "),
            render: (t) => (
              <span className="chips" title={t.permissions.join("\n")}>
                {t.permissions.slice(0, 3).map((p) => (
                  <span className="tag" key={p}>
                    {p}
                  </span>
                ))}
                {t.permissions.length > 3 ? <span className="small t3">and {plural(t.permissions.length - 3, "more", "more")}</span> : null}
              </span>
            ),
          },
          {
            id: "used",
            label: "Last used",
            value: (t) => t.last_used_at,
            render: (t) => (
              <span className="person-cell">
                <Time at={t.last_used_at} />
                {t.last_used_address ? <code className="t3">{t.last_used_address}</code> : null}
              </span>
            ),
          },
          {
            id: "ends",
            label: "Ends",
            value: (t) => t.expires_at,
            render: (t) => (t.expired ? <Status state="cancelled" label="Expired" /> : <Time at={t.expires_at} />),
          },
          {
            id: "do",
            label: "Action",
            value: () => "",
            render: (t) => (
              <button type="button" className="link-button danger" aria-label={`Revoke ${t.name}`} onClick={() => setRevoking(t)}>
                Revoke
              </button>
            ),
          },
        ]}
      />
      {revoking ? (
        <Confirm
          title={`Revoke the token “${revoking.name}”?`}
          verb="Revoke token"
          danger
          onClose={() => setRevoking(null)}
          run={async () => {
            await revoke.mutateAsync(revoking);
            toast("ok", `The token “${revoking.name}” is revoked.`);
            setRevoking(null);
          }}
        >
          <p className="t2">
            Whatever uses it {everybody ? `(it is ${revoking.username}'s) ` : ""}is refused within a second{revoking.last_used_at ? <>; it was last used <Time at={revoking.last_used_at} /></> : "; it was never used"}. That cannot be undone: a new one
            has to be made.
          </p>
        </Confirm>
      ) : null}
    </>
  );
}
