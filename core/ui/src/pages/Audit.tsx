import { Button, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery, type InfiniteData } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useSearchParams } from "react-router";
import { api, type ApiError } from "../ui/api";
import { plural } from "../ui/format";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState, ErrorState, Loading } from "../ui/states";
import { Status } from "../ui/status";
import { Table } from "../ui/table";
import { Time } from "../ui/time";
import { markOf, sentenceOf, type AuditRecord } from "./audit-words";

type Page = { items: AuditRecord[]; next_cursor: string | null };

const FILTERS = [
  { name: "actor", label: "Who", hint: "user name" },
  { name: "action", label: "Action", hint: "action, or its beginning" },
  { name: "request_id", label: "Request", hint: "request id" },
];

/** Who did what: newest first, filtered by the URL, page by page. */
export function Audit(): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const [filter] = useDebouncedValue(parameters.toString(), 250);
  const records = useInfiniteQuery<Page, ApiError, InfiniteData<Page>, string[], string | null>({
    queryKey: ["api", "/api/audit", filter],
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams(filter);
      if (pageParam) query.set("cursor", pageParam);
      return api<Page>(`/api/audit?${query}`, { signal });
    },
    initialPageParam: null,
    getNextPageParam: (page) => page.next_cursor,
  });
  const set = (name: string, value: string): void =>
    setParameters(
      (old) => {
        if (value) old.set(name, value);
        else old.delete(name);
        return old;
      },
      { replace: true },
    );
  const rows = records.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = FILTERS.some(({ name }) => parameters.has(name));
  return (
    <>
      <PageHeader
        title="Audit"
        crumbs="Admin"
        subtitle="Every change: the intent before it, the outcome after it. Sign-ins and refusals too."
        actions={
          <Button leftSection={<Icon name="refresh" />} loading={records.isRefetching} onClick={() => void records.refetch()}>
            Refresh
          </Button>
        }
      />
      <Panel
        label="Audit records"
        title={
          <>
            {FILTERS.map(({ name, label, hint }) => (
              <TextInput key={name} aria-label={`${label}: ${hint}`} placeholder={`${label}: ${hint}`} value={parameters.get(name) ?? ""} onChange={(e) => set(name, e.currentTarget.value)} />
            ))}
            {filtered ? <Button onClick={() => setParameters({}, { replace: true })}>Clear</Button> : null}
          </>
        }
        actions={records.data ? <span className="small t3">{records.hasNextPage ? `${rows.length} shown, there are more` : plural(rows.length, "record")}</span> : null}
      >
        {records.error && rows.length === 0 ? <ErrorState error={records.error} retry={() => void records.refetch()} /> : null}
        {records.error && rows.length > 0 ? (
          <p className="state-stale small" role="status">
            <Icon name="warn" /> Shown as it was before: {records.error.message}
          </p>
        ) : null}
        {records.isPending ? <Loading rows={10} /> : null}
        {records.data ? <Records rows={rows} filtered={filtered} onRequest={(id) => set("request_id", id)} /> : null}
        {records.hasNextPage ? (
          <div className="panel-body">
            <Button onClick={() => void records.fetchNextPage()} loading={records.isFetchingNextPage}>
              Load more
            </Button>
          </div>
        ) : null}
      </Panel>
    </>
  );
}

function Records({ rows, filtered, onRequest }: { rows: AuditRecord[]; filtered: boolean; onRequest: (id: string) => void }): ReactElement {
  return (
    <Table
      label="Audit records"
      rows={rows}
      rowKey={(r) => String(r.id)}
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
          id: "request",
          label: "Request",
          value: (r) => r.request_id,
          render: (r) => (
            <button type="button" className="link-button" title={`All records of request ${r.request_id}`} onClick={() => onRequest(r.request_id)}>
              <code>{r.request_id.slice(-8)}</code>
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
