// What somebody holds, and why: each role with the binding that gives it and its end.
import type { ReactElement } from "react";
import { EmptyState } from "../../ui/states";
import { Table } from "../../ui/table";
import { Time } from "../../ui/time";
import type { Given, Permission, RoleHeld } from "./shapes";
import { originWords, reasonWords, whyHeld } from "./words";
import "./access.css";

export function RolesHeld({ roles, whom, label }: { roles: RoleHeld[]; whom: string; label: string }): ReactElement {
  return (
    <Table
      label={label}
      rows={roles}
      rowKey={(r) => r.binding}
      empty={<EmptyState title="No role">No binding in force gives {whom} anything.</EmptyState>}
      columns={[
        {
          id: "role",
          label: "Role or permission",
          value: (r) => r.role,
          render: (r) => (
            <span className="person-cell">
              <span className={r.kind === "role" ? "b" : "mono"}>{r.role}</span>
              {r.resource ? (
                <span className="small t2">
                  only for <code>{r.resource}</code>
                </span>
              ) : null}
            </span>
          ),
        },
        {
          id: "why",
          label: "Why",
          value: (r) => whyHeld(r, whom),
          render: (r) => (
            <span className="person-cell">
              <span>{whyHeld(r, whom)}</span>
              {r.reason && r.origin !== "demo" ? <span className="small t2">{reasonWords(r.reason)}</span> : null}
            </span>
          ),
        },
        { id: "end", label: "Until", value: (r) => r.expires_at, render: (r) => (r.expires_at ? <Time at={r.expires_at} /> : <span className="t2">for good</span>) },
        {
          id: "binding",
          label: "Binding",
          wide: true,
          value: (r) => r.binding,
          render: (r) => (
            <code className="t3" title={originWords(r.origin)}>
              {r.binding}
            </code>
          ),
        },
      ]}
    />
  );
}

/** Permissions with what they let somebody do, and by which of their roles. */
export function PermissionsHeld({ given, known, roles, label }: { given: Given[]; known: Permission[]; roles: RoleHeld[]; label: string }): ReactElement {
  const through = (g: Given): string =>
    roles
      .filter((r) => r.resource === g.resource || r.resource === null)
      .filter((r) => r.role === g.permission || known.some((p) => p.name === g.permission && p.roles.includes(r.role)))
      .map((r) => r.role)
      .join(", ");
  return (
    <Table
      label={label}
      tools
      rows={given}
      rowKey={(g) => `${g.permission} ${g.resource ?? ""}`}
      empty={given.length === 0 ? <EmptyState title="No permission">What is asked for and granted is here.</EmptyState> : undefined}
      columns={[
        {
          id: "permission",
          label: "Permission",
          value: (g) => g.permission,
          render: (g) => (
            <span className="person-cell">
              <code>{g.permission}</code>
              {g.resource ? (
                <span className="small t2">
                  only for <code>{g.resource}</code>
                </span>
              ) : null}
            </span>
          ),
        },
        { id: "meaning", label: "Lets you", value: (g) => known.find((p) => p.name === g.permission)?.description ?? "" },
        { id: "through", label: "Through", wide: true, value: through, render: (g) => <span className="t2">{through(g)}</span> },
      ]}
    />
  );
}
