import { TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { GatedButton } from "../ui/access";
import { api, useApiMutation } from "../ui/api";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState } from "../ui/states";
import { Status } from "../ui/status";
import { Table } from "../ui/table";
import { Time } from "../ui/time";
import { toast } from "../ui/toast";
import { Confirm } from "./access/Confirm";
import { PagedRows, usePaged } from "./access/paged";
import { ServiceAccountDetail } from "./access/ServiceAccountDetail";
import type { ServiceAccount } from "./access/shapes";
import { fieldErrors, useFieldErrors } from "./access/field-errors";
import "./access/access.css";
import { Chips } from "./access/Chips";

/** Names for machines; and one of them, by the address. */
export function ServiceAccounts(): ReactElement {
  const { name } = useParams();
  return name ? <ServiceAccountDetail key={name} name={name} /> : <AccountList />;
}

function AccountList(): ReactElement {
  const list = usePaged<ServiceAccount>("/api/service-accounts");
  const [making, setMaking] = useState(false);
  const navigate = useNavigate();
  return (
    <>
      <PageHeader
        title="Service accounts"
        crumbs="Admin"
        subtitle="For CI and scripts that belong to no person. They hold what bindings give them, and never sign in."
        actions={
          <GatedButton permission="core:service-account:manage" variant="filled" leftSection={<Icon name="plus" />} onClick={() => setMaking(true)}>
            New service account
          </GatedButton>
        }
      />
      <Panel label="Service accounts">
        <PagedRows list={list}>
          {(rows) => (
            <Table
              label="Service accounts"
              rows={rows}
              rowKey={(a) => a.name}
              empty={<EmptyState title="No service account">Make one for a pipeline, give it a role, then let its CI exchange its own token for one of ours, or make it an API token.</EmptyState>}
              columns={[
                {
                  id: "name",
                  label: "Account",
                  value: (a) => a.name,
                  render: (a) => (
                    <span className="person-cell">
                      <Link to={`/admin/service-accounts/${a.name}`}>{a.username}</Link>
                      <span className="small t2">{a.description}</span>
                    </span>
                  ),
                },
                {
                  id: "roles",
                  label: "Roles",
                  value: (a) => a.roles.map((r) => r.role).join(" "),
                  render: (a) => (
                    <Chips names={[...new Set(a.roles.map((r) => r.role))]} />
                  ),
                },
                { id: "at", label: "Made", wide: true, value: (a) => a.created_at, render: (a) => <Time at={a.created_at} /> },
                { id: "state", label: "State", value: (a) => (a.disabled_at ? "disabled" : "enabled"), render: (a) => <Status state={a.disabled_at ? "disabled" : "active"} label={a.disabled_at ? "Disabled" : "Enabled"} /> },
              ]}
            />
          )}
        </PagedRows>
      </Panel>
      {making ? <NewAccount onClose={() => setMaking(false)} onMade={(name) => void navigate(`/admin/service-accounts/${name}`)} /> : null}
    </>
  );
}

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

function NewAccount({ onClose, onMade }: { onClose: () => void; onMade: (name: string) => void }): ReactElement {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [errors, setErrors] = useFieldErrors({ name, description });
  const make = useApiMutation<void, ServiceAccount>(() => api("/api/service-accounts", { method: "POST", body: { name, description: description.trim() } }), ["/api/service-accounts", "/api/access"]);
  const run = async (): Promise<void> => {
    const found: Record<string, string> = {};
    if (!NAME.test(name)) found["name"] = "Small letters, digits and single hyphens, beginning with a letter.";
    if (description.trim() === "") found["description"] = "Say what it does, and whom to ask about it.";
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    try {
      await make.mutateAsync();
    } catch (error) {
      setErrors(fieldErrors(error));
      return;
    }
    toast("ok", `The service account ${name} is made. It may do nothing yet: give it a role.`);
    onMade(name);
  };
  return (
    <Confirm title="New service account" verb="Create account" onClose={onClose} run={run}>
      <TextInput label="Name" data-autofocus maxLength={60} value={name} error={errors["name"]} onChange={(e) => setName(e.currentTarget.value)} description="Bindings and trust rules call it service:name; it stays" />
      <TextInput label="Description" maxLength={300} value={description} error={errors["description"]} onChange={(e) => setDescription(e.currentTarget.value)} placeholder="Nightly load of the sales mart; ask data-platform" />
    </Confirm>
  );
}
