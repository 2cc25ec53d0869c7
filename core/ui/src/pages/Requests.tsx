import { Button, SegmentedControl, Select, TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { Link, useSearchParams } from "react-router";
import { DURATIONS, durationWords, secondsOf } from "../ui/access-words";
import { api, useApiMutation } from "../ui/api";
import { PageHeader, Panel } from "../ui/layout";
import { usePortal } from "../ui/session";
import { EmptyState } from "../ui/states";
import { Status } from "../ui/status";
import { Time } from "../ui/time";
import { toast } from "../ui/toast";
import { Confirm, PreviewView, usePreview } from "./access/Confirm";
import { countOf, PagedRows, usePaged } from "./access/paged";
import type { AccessRequest, Preview } from "./access/shapes";
import { MARK_OF, wishWords } from "./access/words";
import "./access/access.css";

const STATES = [
  { value: "open", label: "Open" },
  { value: "granted", label: "Granted" },
  { value: "refused", label: "Refused" },
  { value: "withdrawn", label: "Withdrawn" },
];

type Asked = { decision: "grant" | "refuse"; request: AccessRequest };

/** The inbox: what others ask for and this person may decide. */
export function Requests(): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const state = STATES.find((s) => s.value === parameters.get("state"))?.value ?? "open";
  const list = usePaged<AccessRequest>(`/api/access/requests?box=inbox&state=${state}`, { refresh: state === "open" ? 5 : undefined });
  const [deciding, setDeciding] = useState<Asked | null>(null);
  return (
    <>
      <PageHeader title="Access requests" crumbs="Govern" subtitle="What others ask for and you may decide. Nobody decides their own." actions={<Link to="/account?tab=requests">My own requests</Link>} />
      <Panel
        label="Requests"
        title={<SegmentedControl aria-label="State" data={STATES} value={state} onChange={(value) => setParameters(value === "open" ? {} : { state: value }, { replace: true })} />}
        actions={list.data ? <span className="small t3">{countOf(list)}</span> : null}
      >
        <PagedRows list={list}>
          {(rows) =>
            rows.length === 0 ? (
              <EmptyState title={state === "open" ? "Nothing waits for you" : `Nothing was ${state}`}>
                {state === "open" ? "When somebody asks for something that you can give, it is here within seconds." : "Requests that you could decide are kept here."}
              </EmptyState>
            ) : (
              <ul className="requests" aria-label="Requests">
                {rows.map((request) => (
                  <li key={request.id}>
                    <RequestRow request={request} onDecide={(decision) => setDeciding({ decision, request })} />
                  </li>
                ))}
              </ul>
            )
          }
        </PagedRows>
      </Panel>
      {deciding ? <Decide {...deciding} onClose={() => setDeciding(null)} /> : null}
    </>
  );
}

function RequestRow({ request, onDecide }: { request: AccessRequest; onDecide: (decision: "grant" | "refuse") => void }): ReactElement {
  return (
    <>
      <div className="grow">
        <p>
          <span className="b">{request.name}</span> <span className="t3 small">{request.username}</span> asks for <code className="b">{request.permission}</code>
          {request.resource ? (
            <>
              {" "}
              on <code>{request.resource}</code>
            </>
          ) : null}
          , {request.duration === null ? "for good" : `for ${durationWords(request.duration)}`}
        </p>
        <p className="t2">{request.description}</p>
        <p>“{request.purpose}”</p>
        <p className="small t3">
          <Time at={request.created_at} />
          {request.decided_by_name ? (
            <>
              ; {request.state} by {request.decided_by_name} <Time at={request.decided_at} />: “{request.decision_reason}”
              {request.state === "granted" ? <>; {request.expires_at ? <>ends <Time at={request.expires_at} /></> : "has no end"}</> : null}
            </>
          ) : null}
        </p>
      </div>
      {request.may_decide ? (
        <div className="row">
          <Button onClick={() => onDecide("refuse")} aria-label={`Refuse ${request.permission} to ${request.name}`}>
            Refuse
          </Button>
          <Button variant="filled" onClick={() => onDecide("grant")} aria-label={`Review and grant ${request.permission} to ${request.name}`}>
            Review
          </Button>
        </div>
      ) : (
        <Status {...MARK_OF[request.state]} />
      )}
    </>
  );
}

function Decide({ decision, request, onClose }: Asked & { onClose: () => void }): ReactElement {
  const grants = decision === "grant";
  const known = DURATIONS.some((d) => secondsOf(d.value) === request.duration);
  const lengths = known ? DURATIONS : [...DURATIONS, { value: String(request.duration), label: durationWords(request.duration) }];
  const [duration, setDuration] = useState(request.duration === null ? "" : String(request.duration));
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const { reload } = usePortal();
  const until = (): Record<string, unknown> => {
    const seconds = secondsOf(duration);
    // Without an end the one that was asked for counts: no end at all can only be given where it was asked for.
    return grants && seconds !== null ? { duration: seconds } : {};
  };
  const path = `/api/access/requests/${request.id}/decision`;
  const tried = usePreview(grants ? duration : null, async () => {
    const answer = await api<{ preview: Preview }>(`${path}?dry_run=true`, { method: "POST", body: { decision, reason: "preview", ...until() } });
    return answer.preview;
  });
  const decide = useApiMutation<void, unknown>(
    () => api(path, { method: "POST", body: { decision, reason: reason.trim(), ...until() } }),
    ["/api/access", "/api/role-bindings", "/api/users"],
  );
  return (
    <Confirm
      title={grants ? `Grant this to ${request.name}?` : `Refuse this to ${request.name}?`}
      verb={grants ? "Grant" : "Refuse"}
      danger={!grants}
      disabled={tried.pending}
      onClose={onClose}
      run={async () => {
        if (reason.trim() === "") {
          setError(grants ? "Say why: it stays with the binding's history." : "Say why: who asked reads this.");
          return;
        }
        await decide.mutateAsync();
        toast("ok", grants ? `${request.name} may do it within a second.` : `${request.name} is told why not.`);
        onClose();
        await reload();
      }}
    >
      <dl className="ask-facts">
        <dt>Asked for</dt>
        <dd>
          <code>{wishWords(request)}</code>
          <span className="t2 block">{request.description}</span>
        </dd>
        <dt>What for</dt>
        <dd>{request.purpose}</dd>
      </dl>
      {grants ? (
        <>
          <Select
            label="Until"
            description="Within what was asked for or beyond it: you decide"
            data={lengths.filter((d) => d.value !== "" || request.duration === null)}
            value={duration}
            onChange={(value) => setDuration(value ?? "")}
            allowDeselect={false}
          />
          <PreviewView tried={tried} />
        </>
      ) : null}
      <TextInput data-autofocus label="Reason" maxLength={300} value={reason} error={error} onChange={(e) => setReason(e.currentTarget.value)} />
    </Confirm>
  );
}
