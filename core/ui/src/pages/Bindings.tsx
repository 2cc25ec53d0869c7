import { Autocomplete, Select, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState, type ReactElement } from "react";
import { GatedButton } from "../ui/access";
import { useApi } from "../ui/api";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { useParameters } from "../ui/use-parameter";
import { BindingsTable } from "./access/BindingsTable";
import { NewBinding } from "./access/NewBinding";
import { countOf, PagedRows, usePaged } from "./access/paged";
import type { Binding, Group, Role } from "./access/shapes";
import { MANAGE } from "./access/words";
import "./access/access.css";

const FILTERS = ["role", "group", "subject"] as const;

/** Who is given what: the bindings of the settings and those made here. */
export function Bindings(): ReactElement {
  const [parameters, set] = useParameters();
  const [making, setMaking] = useState(false);
  const chosen = Object.fromEntries(FILTERS.map((f) => [f, parameters.get(f)?.trim() ?? ""] as const).filter(([, value]) => value));
  const [wanted] = useDebouncedValue(new URLSearchParams(chosen).toString(), 200);
  const list = usePaged<Binding>(`/api/role-bindings?${wanted}`);
  const roles = useApi<{ items: Role[] }>("/api/roles").data?.items ?? [];
  const groups = useApi<{ items: Group[] }>("/api/groups").data?.items ?? [];
  const role = parameters.get("role") ?? "";
  const names = roles.map((r) => r.name);
  return (
    <>
      <PageHeader
        title="Bindings"
        crumbs="Admin"
        subtitle="Each gives a role, or one permission, to a group or to somebody. What no binding gives is refused."
        actions={
          <GatedButton permission={MANAGE} variant="filled" leftSection={<Icon name="plus" />} onClick={() => setMaking(true)}>
            New binding
          </GatedButton>
        }
      />
      <Panel
        label="Bindings"
        title={
          <div className="filters">
            <Select aria-label="Role" placeholder="Every role" clearable searchable data={role && !names.includes(role) ? [role, ...names] : names} value={role || null} onChange={(value) => set("role", value ?? "")} />
            <Autocomplete aria-label="Group" placeholder="Every group" data={groups.map((g) => g.name)} value={parameters.get("group") ?? ""} onChange={(value) => set("group", value)} />
            <TextInput aria-label="User name" placeholder="Everybody by name" value={parameters.get("subject") ?? ""} onChange={(e) => set("subject", e.currentTarget.value)} />
          </div>
        }
        actions={list.data ? <span className="small t3">{countOf(list)}</span> : null}
      >
        <PagedRows list={list}>
          {(rows) => <BindingsTable rows={rows} label="Bindings" empty={wanted ? "Change or clear the filters above." : "Nobody holds anything by a binding."} />}
        </PagedRows>
      </Panel>
      {making ? <NewBinding onClose={() => setMaking(false)} /> : null}
    </>
  );
}
