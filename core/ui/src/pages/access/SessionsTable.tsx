// Sign-ins in force, and their end.
import { useState, type ReactElement } from "react";
import { api, useApiMutation } from "../../ui/api";
import { EmptyState } from "../../ui/states";
import { Status } from "../../ui/status";
import { Table, type TableColumn } from "../../ui/table";
import { Time } from "../../ui/time";
import { toast } from "../../ui/toast";
import { Confirm } from "./Confirm";
import type { SessionRow } from "./shapes";
import { deviceOf } from "./words";
import "./access.css";

export function SessionsTable({ rows, everybody, label }: { rows: SessionRow[]; everybody?: boolean; label: string }): ReactElement {
  const [ending, setEnding] = useState<SessionRow | null>(null);
  const end = useApiMutation<SessionRow, void>((session) => api(`/api/sessions/${session.id}`, { method: "DELETE" }), ["/api/sessions"]);
  const who: TableColumn<SessionRow>[] = everybody
    ? [
        {
          id: "who",
          label: "Who",
          value: (s) => s.username,
          render: (s) => (
            <span className="person-cell">
              <span>{s.name}</span>
              <span className="small t3">{s.username}</span>
            </span>
          ),
        },
      ]
    : [];
  return (
    <>
      <Table
        label={label}
        rows={rows}
        rowKey={(s) => s.id}
        empty={<EmptyState title="No session">Whoever signs in is here until the session ends.</EmptyState>}
        columns={[
          ...who,
          {
            id: "device",
            label: "Device",
            value: (s) => deviceOf(s.agent),
            render: (s) => (
              <span className="person-cell" title={s.agent ?? undefined}>
                <span>{deviceOf(s.agent)}</span>
                <code className="small t3 only-s">{s.address}</code>
                {s.current ? <Status state="active" label="This browser" /> : null}
              </span>
            ),
          },
          { id: "address", label: "From", wide: true, value: (s) => s.address, render: (s) => <code className="t2">{s.address ?? "unknown"}</code> },
          { id: "since", label: "Since", value: (s) => s.created_at, render: (s) => <Time at={s.created_at} /> },
          { id: "seen", label: "Last seen", value: (s) => s.seen_at, render: (s) => <Time at={s.seen_at} /> },
          { id: "ends", label: "Ends", wide: true, value: (s) => s.expires_at, render: (s) => <Time at={s.expires_at} /> },
          {
            id: "do",
            label: "Action",
            value: () => "",
            render: (s) =>
              s.current ? (
                <span className="small t3">Sign out ends it</span>
              ) : (
                <button type="button" className="link-button danger" aria-label={`End the session of ${s.name}, ${deviceOf(s.agent)}`} onClick={() => setEnding(s)}>
                  End
                </button>
              ),
          },
        ]}
      />
      {ending ? (
        <Confirm
          title={everybody ? `End a session of ${ending.name}?` : "End this session?"}
          verb="End session"
          danger
          onClose={() => setEnding(null)}
          run={async () => {
            await end.mutateAsync(ending);
            toast("ok", "The session has ended.");
            setEnding(null);
          }}
        >
          <p className="t2">
            {deviceOf(ending.agent)}
            {ending.address ? `, from ${ending.address}` : ""}. That browser is signed out within a second, and what runs for it stops. API tokens stay.
          </p>
        </Confirm>
      ) : null}
    </>
  );
}
