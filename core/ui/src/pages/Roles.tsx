import { useState, type ReactElement } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { GatedButton } from "../ui/access";
import { useApi } from "../ui/api";
import { plural } from "../ui/format";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { Loaded } from "../ui/states";
import { Table } from "../ui/table";
import { RoleDetail } from "./access/RoleDetail";
import { RoleForm } from "./access/RoleForm";
import type { Role } from "./access/shapes";
import { MANAGE } from "./access/words";
import "./access/access.css";

/** Named sets of permissions; and one of them, by the address. */
export function Roles(): ReactElement {
  const { role } = useParams();
  return role ? <RoleDetail key={role} name={role} /> : <RoleList />;
}

function RoleList(): ReactElement {
  const query = useApi<{ items: Role[] }>("/api/roles");
  const [making, setMaking] = useState(false);
  const navigate = useNavigate();
  return (
    <>
      <PageHeader
        title="Roles"
        crumbs="Admin"
        subtitle="Named sets of permissions. Plugins fill the built-in ones; bindings give them to groups and people."
        actions={
          <GatedButton permission={MANAGE} variant="filled" leftSection={<Icon name="plus" />} onClick={() => setMaking(true)}>
            New role
          </GatedButton>
        }
      />
      <Panel label="Roles">
        <Loaded query={query} rows={6}>
          {({ items }) => (
            <Table
              label="Roles"
              rows={items}
              rowKey={(r) => r.name}
              columns={[
                {
                  id: "name",
                  label: "Role",
                  value: (r) => r.name,
                  render: (r) => (
                    <span className="person-cell">
                      <Link to={`/admin/roles/${r.name}`}>{r.name}</Link>
                      {r.description ? <span className="small t2">{r.description}</span> : null}
                    </span>
                  ),
                },
                { id: "holds", label: "Holds", value: (r) => r.permissions.length, render: (r) => plural(r.permissions.length, "permission") },
                {
                  id: "bindings",
                  label: "Given by",
                  value: (r) => r.bindings,
                  render: (r) =>
                    r.bindings ? <Link to={`/admin/bindings?role=${encodeURIComponent(r.name)}`}>{plural(r.bindings, "binding")}</Link> : <span className="t3">no binding</span>,
                },
                { id: "origin", label: "From", wide: true, value: (r) => r.origin, render: (r) => <span className="tag">{r.origin === "console" ? "made here" : "built-in"}</span> },
              ]}
            />
          )}
        </Loaded>
      </Panel>
      {making ? <RoleForm onClose={() => setMaking(false)} onSaved={(name) => void navigate(`/admin/roles/${name}`)} /> : null}
    </>
  );
}
