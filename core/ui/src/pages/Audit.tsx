import { Button, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useSearchParams } from "react-router";
import { api, type ApiError } from "../ui/api";
import { formatUtc } from "../ui/format";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState, ErrorState, Loading } from "../ui/states";
import { Table } from "../ui/table";
import { Time } from "../ui/time";

type Record_ = {
  id: number;
  at: string;
  actor: string;
  actor_name: string;
  action: string;
  object: string;
  phase: "intent" | "outcome" | "event";
  result: string;
  request_id: string;
  address: string | null;
};
type Page = { items: Record_[]; next_cursor: string | null };

/** Who did what: newest first, filtered by the URL, page by page. */
export function Audit(): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const [filter] = useDebouncedValue(parameters.toString(), 250);
  const records = useInfiniteQuery<Page, ApiError>({
    queryKey: ["api", "/api/audit", filter],
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams(filter);
      if (typeof pageParam === "string") query.set("cursor", pageParam);
      return api<Page>(`/api/audit?${query}`, { signal });
    },
    initialPageParam: null as unknown,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
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
  return (
    <>
      <PageHeader title="Audit" crumbs="Admin" subtitle="Every change: the intent before it, the outcome after it. Sign-ins and refusals too." />
      <Panel
        label="Audit records"
        title={
          <>
            {["actor", "action", "request_id"].map((name) => (
              <TextInput
                key={name}
                aria-label={`Filter by ${name.replace("_", " ")}`}
                placeholder={name.replace("_", " ")}
                value={parameters.get(name) ?? ""}
                onChange={(e) => set(name, e.currentTarget.value)}
              />
            ))}
          </>
        }
        actions={<Button onClick={() => void records.refetch()}>Refresh</Button>}
      >
        {records.error && rows.length === 0 ? <ErrorState error={records.error} retry={() => void records.refetch()} /> : null}
        {records.isPending ? <Loading rows={10} /> : null}
        {records.data ? (
          <Table
            label="Audit records"
            rows={rows}
            rowKey={(r) => String(r.id)}
            empty={<EmptyState title="No record matches">Change the filter above.</EmptyState>}
            columns={[
              { id: "at", label: "When", value: (r) => r.at, render: (r) => <span title={formatUtc(new Date(r.at))}><Time at={r.at} /></span> },
              { id: "who", label: "Who", value: (r) => r.actor_name, render: (r) => <span className="b" title={r.actor}>{r.actor_name}</span> },
              { id: "action", label: "Did", value: (r) => r.action, render: (r) => <code>{r.action}</code> },
              { id: "object", label: "To", value: (r) => r.object, render: (r) => r.object || <span className="t3">-</span> },
              { id: "phase", label: "Phase", value: (r) => r.phase, render: (r) => <span className="tag">{r.phase}</span> },
              { id: "result", label: "Result", value: (r) => r.result },
              {
                id: "request",
                label: "Request",
                value: (r) => r.request_id,
                render: (r) => (
                  <button type="button" className="link-button mono" title={r.request_id} onClick={() => set("request_id", r.request_id)}>
                    {r.request_id.slice(0, 12)}
                  </button>
                ),
              },
            ]}
          />
        ) : null}
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
