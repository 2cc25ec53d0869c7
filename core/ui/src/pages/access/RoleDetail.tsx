import { useState, type ReactElement } from "react";
import { Link, useNavigate } from "react-router";
import { GatedButton } from "../../ui/access";
import { api, useApi, useApiMutation } from "../../ui/api";
import { PageHeader, Panel } from "../../ui/layout";
import { EmptyState, Loaded } from "../../ui/states";
import { Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { toast } from "../../ui/toast";
import { BindingsTable } from "./BindingsTable";
import { Confirm } from "./Confirm";
import { NewBinding } from "./NewBinding";
import { OneOf } from "./OneOf";
import { countOf, PagedRows, usePaged } from "./paged";
import { RoleForm } from "./RoleForm";
import type { Binding, Permission, Role } from "./shapes";
import { MANAGE } from "./words";

const CRUMBS = <Link to="/admin/roles">Admin / Roles</Link>;

export function RoleDetail({ name }: { name: string }): ReactElement {
  const query = useApi<Role>(`/api/roles/${encodeURIComponent(name)}`);
  return (
    <OneOf title={name} crumbs={CRUMBS} query={query}>
      {(found) => <OneRole role={found} />}
    </OneOf>
  );
}

function OneRole({ role }: { role: Role }): ReactElement {
  const [open, setOpen] = useState<"change" | "remove" | "give" | null>(null);
  const close = (): void => setOpen(null);
  const made = role.origin === "console";
  return (
    <>
      <PageHeader
        title={role.name}
        crumbs={CRUMBS}
        subtitle={made ? <>{role.description}; changed <Time at={role.updated_at} /></> : role.description || "Built-in: each plugin says what it adds to it."}
        actions={
          <>
            {made ? (
              <>
                <GatedButton permission={MANAGE} onClick={() => setOpen("remove")}>
                  Remove
                </GatedButton>
                <GatedButton permission={MANAGE} onClick={() => setOpen("change")}>
                  Change
                </GatedButton>
              </>
            ) : null}
            <GatedButton permission={MANAGE} variant="filled" onClick={() => setOpen("give")}>
              Give this role
            </GatedButton>
          </>
        }
      />
      <Holds role={role} />
      <GivenBy role={role} />
      {open === "change" ? <RoleForm role={role} onClose={close} onSaved={close} /> : null}
      {open === "remove" ? <RemoveRole role={role} onClose={close} /> : null}
      {open === "give" ? <NewBinding role={role.name} onClose={close} /> : null}
    </>
  );
}

function Holds({ role }: { role: Role }): ReactElement {
  const known = useApi<{ items: Permission[] }>("/api/access/permissions");
  return (
    <Panel title="Holds" badge={role.permissions.length}>
      <Loaded query={known} rows={6}>
        {({ items }) => (
          <Table
            label={`Permissions of ${role.name}`}
            tools={role.permissions.length > 8}
            rows={role.permissions.map((name) => items.find((p) => p.name === name) ?? gone(name))}
            rowKey={(p) => p.name}
            empty={role.permissions.length === 0 ? <EmptyState title="No permission">Whoever has this role gets nothing by it.</EmptyState> : undefined}
            columns={[
              { id: "name", label: "Permission", value: (p) => p.name, render: (p) => <code>{p.name}</code> },
              { id: "meaning", label: "Lets somebody", value: (p) => p.description },
              { id: "plugin", label: "Of", wide: true, value: (p) => p.plugin, render: (p) => <span className="tag">{p.plugin || "no active plugin"}</span> },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  );
}

/** What a role of ours still holds although its plugin is away. */
const gone = (name: string): Permission => ({ name, description: "Nothing, while its plugin is missing", plugin: "", scoped: false, implies: [], roles: [] });

function GivenBy({ role }: { role: Role }): ReactElement {
  const list = usePaged<Binding>(`/api/role-bindings?role=${encodeURIComponent(role.name)}`);
  return (
    <Panel title="Given by" badge={countOf(list)}>
      <PagedRows list={list}>{(rows) => <BindingsTable rows={rows} label={`Bindings of ${role.name}`} empty="No binding gives this role to anybody." />}</PagedRows>
    </Panel>
  );
}

function RemoveRole({ role, onClose }: { role: Role; onClose: () => void }): ReactElement {
  const navigate = useNavigate();
  const remove = useApiMutation<void, unknown>(
    () => api(`/api/roles/${role.name}`, { method: "DELETE", headers: { "if-match": `"${role.version}"` } }),
    ["/api/access"],
  );
  return (
    <Confirm
      title={`Remove the role ${role.name}?`}
      verb="Remove role"
      danger
      disabled={role.bindings > 0}
      onClose={onClose}
      run={async () => {
        await remove.mutateAsync();
        toast("ok", `The role ${role.name} is gone.`);
        void navigate("/admin/roles");
      }}
    >
      {role.bindings > 0 ? (
        <p>
          Bindings give this role. Take them back first: <Link to={`/admin/bindings?role=${encodeURIComponent(role.name)}`}>see them</Link>.
        </p>
      ) : (
        <p className="t2">No binding gives it, so nobody loses anything.</p>
      )}
    </Confirm>
  );
}
