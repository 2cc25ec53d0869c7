// Bindings: what is given, to whom, until when, and where that stands; those of the console can be changed here.
import { useState, type ReactElement } from "react";
import { Link } from "react-router";
import { AskDialog } from "../../ui/access";
import { usePermission } from "../../ui/session";
import { EmptyState } from "../../ui/states";
import { Status } from "../../ui/status";
import { Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { ChangeBinding, RemoveBinding } from "./ChangeBinding";
import type { Binding } from "./shapes";
import { MANAGE, originWords, reasonWords } from "./words";
import "./access.css";

type Doing = { what: "change" | "remove"; binding: Binding };

export function BindingsTable({ rows, label, empty }: { rows: Binding[]; label: string; empty: string }): ReactElement {
  const [doing, setDoing] = useState<Doing | null>(null);
  const may = usePermission(MANAGE);
  const close = (): void => setDoing(null);
  return (
    <>
      <Table
        label={label}
        rows={rows}
        rowKey={(b) => b.id}
        empty={<EmptyState title="No binding">{empty}</EmptyState>}
        columns={[
          { id: "whom", label: "To", value: whomOf, render: (b) => <Whom binding={b} /> },
          { id: "what", label: "Gives", value: (b) => b.role, render: (b) => <What binding={b} /> },
          {
            id: "end",
            label: "Until",
            value: (b) => b.expires_at,
            render: (b) => (b.ended ? <Status state="cancelled" label="Ended" /> : b.expires_at ? <Time at={b.expires_at} /> : <span className="t2">for good</span>),
          },
          {
            id: "why",
            label: "Why",
            wide: true,
            value: (b) => b.reason,
            render: (b) => (
              <span className="person-cell">
                <span>{reasonWords(b.reason) || "not said"}</span>
                <span className="small t3">
                  by {originWords(b.origin)}
                  {b.created_at ? (
                    <>
                      , <Time at={b.created_at} />
                    </>
                  ) : null}
                </span>
              </span>
            ),
          },
          {
            id: "do",
            label: "Action",
            value: () => "",
            render: (b) =>
              b.read_only ? (
                <span className="small t3" title="It is changed where it stands">
                  in {originWords(b.origin)}
                </span>
              ) : (
                <span className="row-actions">
                  <button type="button" className="link-button" aria-label={`Change what gives ${b.role} to ${whomOf(b)}`} onClick={() => setDoing({ what: "change", binding: b })}>
                    Change
                  </button>
                  <button type="button" className="link-button danger" aria-label={`Remove what gives ${b.role} to ${whomOf(b)}`} onClick={() => setDoing({ what: "remove", binding: b })}>
                    Remove
                  </button>
                </span>
              ),
          },
        ]}
      />
      {doing === null ? null : !may ? (
        <AskDialog permission={MANAGE} onClose={close} />
      ) : doing.what === "change" ? (
        <ChangeBinding binding={doing.binding} onClose={close} />
      ) : (
        <RemoveBinding binding={doing.binding} onClose={close} />
      )}
    </>
  );
}

/** Whom a binding names, in one line. */
export const whomOf = (binding: Binding): string => (binding.group === null ? (binding.subject_name ?? binding.subject ?? "") : `the group ${binding.group}`);

function Whom({ binding: b }: { binding: Binding }): ReactElement {
  if (b.group !== null)
    return (
      <span className="person-cell">
        <span className="b">{b.group}</span>
        <span className="small t3">group</span>
      </span>
    );
  const subject = b.subject ?? "";
  const service = subject.startsWith("service:");
  const username = b.subject_username;
  return (
    <span className="person-cell">
      {service ? (
        <Link to={`/admin/service-accounts/${encodeURIComponent(subject.slice("service:".length))}`}>{subject}</Link>
      ) : username ? (
        <Link to={`/admin/users/${encodeURIComponent(username)}`}>{b.subject_name}</Link>
      ) : (
        <span className="b">{subject}</span>
      )}
      <span className="small t3">{service ? "service account" : (username ?? "has not signed in yet")}</span>
    </span>
  );
}

function What({ binding: b }: { binding: Binding }): ReactElement {
  return (
    <span className="person-cell">
      {b.kind === "role" ? <Link to={`/admin/roles/${encodeURIComponent(b.role)}`}>{b.role}</Link> : <code>{b.role}</code>}
      {b.kind === "unknown" ? <span className="small bad">gives nothing: no active plugin has it</span> : null}
      {b.resource ? (
        <span className="small t2">
          only for <code>{b.resource}</code>
        </span>
      ) : null}
    </span>
  );
}
