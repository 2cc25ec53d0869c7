import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import type { ReactElement } from "react";
import { useSearchParams } from "react-router";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState } from "../ui/states";
import { Status } from "../ui/status";
import { Table } from "../ui/table";
import { Time } from "../ui/time";
import { countOf, PagedRows, usePaged } from "./access/paged";
import { LogState } from "./audit/State";
import { Story } from "./audit/Story";
import { FILTERS, markOf, queryOf, sentenceOf, type AuditRecord } from "./audit/words";
import "../ui/ask.css";
import { useParameters } from "../ui/use-parameter";
import "./audit/audit.css";

const RESULTS = [
  { value: "", label: "Any result" },
  { value: "done", label: "Done" },
  { value: "refused", label: "Refused" },
  { value: "failed", label: "Failed" },
];
const KINDS = [
  { value: "", label: "Everything" },
  { value: "outcome", label: "Changes" },
  { value: "event", label: "Events" },
  { value: "unfinished", label: "Without an outcome" },
  { value: "all", label: "With intents" },
];
/** Filters that come from a click on a record: shown as chips. */
const CHIPS = [
  { name: "session", label: "Session" },
  { name: "request_id", label: "Request" },
] as const;

/** Who did what: newest first, filtered by the URL, page by page; one record's story over it. */
export function Audit(): ReactElement {
  const [, setParameters] = useSearchParams();
  const [parameters, set] = useParameters();
  const chosen = queryOf(parameters).toString();
  const [query] = useDebouncedValue(chosen, 250);
  const records = usePaged<AuditRecord>(`/api/audit${query ? `?${query}` : ""}`);
  const value = (name: string): string => parameters.get(name) ?? "";
  const filtered = FILTERS.some((name) => parameters.has(name));
  const opened = parameters.get("record");
  return (
    <>
      <PageHeader
        title="Audit"
        crumbs="Admin"
        subtitle="Every change: the intent before it, the outcome after it. Sign-ins and refusals too."
        actions={
          <>
            <Button component="a" href={`/api/audit/export${filtered ? `?${chosen}` : ""}`} download leftSection={<Icon name="download" />}>
              {filtered ? "Export selection" : "Export"}
            </Button>
            <Button leftSection={<Icon name="refresh" />} loading={records.isRefetching} onClick={() => void records.refetch()}>
              Refresh
            </Button>
          </>
        }
      />
      <LogState />
      <Panel label="Audit records">
        <div className="audit-filters" role="search" aria-label="Filter of the audit log">
          <TextInput label="Who" placeholder="user name" value={value("actor")} onChange={(e) => set("actor", e.currentTarget.value)} />
          <TextInput label="Action" placeholder="or its beginning" value={value("action")} onChange={(e) => set("action", e.currentTarget.value)} />
          <TextInput label="Object" placeholder="or its beginning" value={value("object")} onChange={(e) => set("object", e.currentTarget.value)} />
          <NativeSelect label="Result" data={RESULTS} value={value("result")} onChange={(e) => set("result", e.currentTarget.value)} />
          <NativeSelect label="Kind" data={KINDS} value={value("phase")} onChange={(e) => set("phase", e.currentTarget.value)} />
          <TextInput label="From" type="datetime-local" value={value("since")} onChange={(e) => set("since", e.currentTarget.value)} />
          <TextInput label="Until" type="datetime-local" value={value("until")} onChange={(e) => set("until", e.currentTarget.value)} />
        </div>
        {filtered ? (
          <div className="audit-chips">
            {CHIPS.filter(({ name }) => parameters.has(name)).map(({ name, label }) => (
              <span key={name} className="tag audit-chip">
                {label} <code>{value(name)}</code>
                <button type="button" className="link-button" aria-label={`Remove the filter by ${label.toLowerCase()}`} onClick={() => set(name, "")}>
                  ×
                </button>
              </span>
            ))}
            <button type="button" className="link-button" onClick={() => setParameters({}, { replace: true })}>
              Clear all filters
            </button>
            <span className="grow" />
            <span className="small t3">{records.data ? `${countOf(records)} shown` : ""}</span>
          </div>
        ) : null}
        <PagedRows list={records}>{(rows) => <Records rows={rows} filtered={filtered} onOpen={(id) => set("record", String(id))} />}</PagedRows>
      </Panel>
      {opened !== null ? (
        <Story
          id={opened}
          onClose={() => set("record", "")}
          onFilter={(name, wanted) => setParameters({ [name]: wanted }, { replace: true })}
        />
      ) : null}
    </>
  );
}

function Records({ rows, filtered, onOpen }: { rows: AuditRecord[]; filtered: boolean; onOpen: (id: number) => void }): ReactElement {
  return (
    <Table
      label="Audit records"
      rows={rows}
      rowKey={(r) => String(r.id)}
      onRow={(r) => onOpen(r.id)}
      empty={
        filtered ? (
          <EmptyState title="No record matches">Change or clear the filter above.</EmptyState>
        ) : (
          <EmptyState title="Nothing is recorded yet">The first sign-in, change or refusal will be here.</EmptyState>
        )
      }
      columns={[
        { id: "at", label: "When", width: "110px", value: (r) => r.at, render: (r) => <span className="t2"><Time at={r.at} /></span> },
        { id: "what", label: "What happened", value: (r) => `${r.actor_name} ${r.action} ${r.object}`, render: (r) => <Sentence record={r} /> },
        { id: "action", label: "Action", wide: true, value: (r) => r.action, render: (r) => <code className="t2">{r.action}</code> },
        { id: "result", label: "Result", value: (r) => r.result, render: (r) => <Status {...markOf(r)} /> },
        { id: "address", wide: true, label: "From", value: (r) => r.address, render: (r) => <code className="t3">{r.address ?? ""}</code> },
        {
          id: "story",
          label: "Request",
          value: (r) => r.id,
          render: (r) => (
            <button type="button" className="link-button" aria-label={`Story of record ${r.id}`} onClick={() => onOpen(r.id)}>
              Story
            </button>
          ),
        },
      ]}
    />
  );
}

function Sentence({ record }: { record: AuditRecord }): ReactElement {
  const { verb, object } = sentenceOf(record);
  return (
    <span title={record.actor}>
      <span className="b">{record.actor_name}</span> {verb} {object ? <code>{object}</code> : null}
    </span>
  );
}
