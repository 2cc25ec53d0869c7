import { Button, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState, type ReactElement } from "react";
import { useSearchParams } from "react-router";
import { api, useApiMutation } from "../ui/api";
import { plural } from "../ui/format";
import { PageHeader, Panel } from "../ui/layout";
import { toast } from "../ui/toast";
import { Confirm } from "./access/Confirm";
import { countOf, PagedRows, usePaged } from "./access/paged";
import { SessionsTable } from "./access/SessionsTable";
import type { SessionRow } from "./access/shapes";

/** Everybody's sign-ins in force. */
export function Sessions(): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const username = parameters.get("username") ?? "";
  const [wanted] = useDebouncedValue(username.trim(), 250);
  const list = usePaged<SessionRow>(`/api/sessions?${wanted ? `username=${encodeURIComponent(wanted)}` : "all=true"}`, { refresh: 30 });
  const [ending, setEnding] = useState(false);
  const end = useApiMutation<void, { ended: number }>(() => api(`/api/sessions?username=${encodeURIComponent(wanted)}`, { method: "DELETE" }), ["/api/sessions"]);
  return (
    <>
      <PageHeader title="Sessions" crumbs="Admin" subtitle="Every sign-in in force, newest first. One that is ended is signed out within a second, on every replica." />
      <Panel
        label="Sessions"
        title={<TextInput className="filter" aria-label="User name" placeholder="User name" value={username} onChange={(e) => setParameters(e.currentTarget.value ? { username: e.currentTarget.value } : {}, { replace: true })} />}
        actions={
          <>
            {list.data ? <span className="small t3">{countOf(list)}</span> : null}
            {wanted && (list.data?.pages[0]?.items.length ?? 0) > 0 ? <Button onClick={() => setEnding(true)}>End all of {wanted}</Button> : null}
          </>
        }
      >
        <PagedRows list={list}>{(rows) => <SessionsTable rows={rows} everybody label="Sessions" />}</PagedRows>
      </Panel>
      {ending ? (
        <Confirm
          title={`End all sessions of ${wanted}?`}
          verb="End them"
          danger
          onClose={() => setEnding(false)}
          run={async () => {
            const { ended } = await end.mutateAsync();
            toast("ok", `${plural(ended, "session")} of ${wanted} ended.`);
            setEnding(false);
          }}
        >
          <p className="t2">They are signed out within a second and can sign in again. To keep somebody out, disable them.</p>
        </Confirm>
      ) : null}
    </>
  );
}
