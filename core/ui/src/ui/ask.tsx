import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useContext, useEffect, useId, useRef, useState, type FormEvent, type ReactElement } from "react";
import { Link } from "react-router";
import { DURATIONS, canBeGranted, durationWords, grantorWords, ruleWords, secondsOf } from "./access-words";
import type { Missing } from "./access";
import { api, useApi, useApiMutation, type Grantor } from "./api";
import { Icon } from "./icons";
import { PortalContext } from "./session";
import { Time } from "./time";
import "./ask.css";

type Explanation = { allowed: boolean; decided_by: string; chain: { detail: string }[]; grantors: Grantor[] };
type Asked = { id: string; permission: string; resource: string | null; purpose: string; duration: number | null; state: string; created_at: string; decision_reason: string | null };
/** Seconds between two looks at a request that is open. */
const LOOK = 2;

const same = (request: Asked, missing: Missing): boolean => request.permission === missing.permission && request.resource === (missing.resource ?? null);

export function Ask(missing: Missing): ReactElement {
  const { permission, resource } = missing;
  const query = new URLSearchParams({ permission, ...(resource ? { resource } : {}) });
  // A refusal brings its explanation along; a button that is not one's own does not.
  const explained = useApi<Explanation>(missing.grantors ? null : `/api/access/explain?${query}`);
  const names = useApi<{ items: { name: string; description: string }[] }>("/api/access/permissions");
  const mine = useApi<{ items: Asked[] }>("/api/access/requests?box=mine&limit=100");
  const description = names.data?.items.find((p) => p.name === permission)?.description;
  const decidedBy = missing.decided_by ?? explained.data?.decided_by;
  const reason = missing.reason ?? explained.data?.chain.at(-1)?.detail;
  const grantors = missing.grantors ?? explained.data?.grantors ?? [];
  const open = mine.data?.items.find((request) => same(request, missing) && request.state === "open");
  const [made, setMade] = useState<string | null>(null);
  const followed = made ?? open?.id ?? null;
  return (
    <div className="ask">
      <dl className="ask-facts">
        <dt>Missing</dt>
        <dd>
          <code>{permission}</code>
          {resource ? (
            <>
              {" "}
              for <code>{resource}</code>
            </>
          ) : null}
          {description ? <span className="t2 block">{description}</span> : null}
        </dd>
        {decidedBy ? (
          <>
            <dt>Decided by</dt>
            <dd>
              {ruleWords(decidedBy)}
              {reason ? <span className="t2 block">{reason}</span> : null}
            </dd>
          </>
        ) : null}
        <dt>Who can grant it</dt>
        <dd>{explained.isLoading ? "…" : grantorWords(grantors) || "Nobody who is known here: ask the people who run this portal."}</dd>
      </dl>
      {explained.data?.allowed ? (
        <Given />
      ) : followed ? (
        <Waiting id={followed} grantors={grantors} />
      ) : mine.isLoading ? null : canBeGranted(decidedBy) ? (
        <AskForm permission={permission} resource={resource} onMade={setMade} />
      ) : (
        <p className="small t2">Asking for the permission would not change that.</p>
      )}
    </div>
  );
}

function AskForm({ permission, resource, onMade }: { permission: string; resource?: string; onMade: (id: string) => void }): ReactElement {
  const [purpose, setPurpose] = useState("");
  const [duration, setDuration] = useState("28800");
  const [error, setError] = useState<string | null>(null);
  const label = useId();
  const field = useRef<HTMLInputElement>(null);
  const ask = useApiMutation<void, Asked>(
    () => api("/api/access/requests", { method: "POST", body: { permission, resource: resource ?? null, purpose: purpose.trim(), duration: secondsOf(duration) } }),
    ["/api/access/requests"],
  );
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    // Where this stands in a form of its own, that one is not sent.
    event.stopPropagation();
    if (purpose.trim() === "") {
      setError("Say what you need it for: who decides reads this.");
      field.current?.focus();
      return;
    }
    setError(null);
    ask.mutate(undefined, { onSuccess: (made) => onMade(made.id) });
  };
  return (
    <div className="ask-form">
      <TextInput
        ref={field}
        label="What you need it for"
        maxLength={300}
        value={purpose}
        error={error}
        onChange={(e) => setPurpose(e.currentTarget.value)}
        onKeyDown={(e) => (e.key === "Enter" ? submit(e) : undefined)}
      />
      <div>
        <p className="ask-label" id={label}>
          For how long
        </p>
        <SegmentedControl aria-labelledby={label} data={DURATIONS} value={duration} onChange={setDuration} />
      </div>
      {ask.error ? (
        <p className="small bad" role="alert">
          {ask.error.message} {ask.error.problem.remedy}
        </p>
      ) : null}
      <div>
        <Button variant="filled" loading={ask.isPending} onClick={submit}>
          Ask for access
        </Button>
      </div>
    </div>
  );
}

/** A request that was made: it is looked at until somebody decides, and then this page is drawn again with what it gave. */
function Waiting({ id, grantors }: { id: string; grantors: Grantor[] }): ReactElement {
  const [decided, setDecided] = useState(false);
  const request = useApi<Asked>(`/api/access/requests/${id}`, { refresh: decided ? null : LOOK });
  const portal = useContext(PortalContext);
  const client = useQueryClient();
  const state = request.data?.state;
  const reload = portal?.reload;
  useEffect(() => {
    if (state === undefined || state === "open") return;
    setDecided(true);
    if (state !== "granted") return;
    void (async () => {
      await reload?.();
      await client.invalidateQueries();
    })();
  }, [state, reload, client]);
  if (state === "granted") return <Given />;
  if (state === "refused" || state === "withdrawn")
    return (
      <p role="status" className="ask-said">
        <Icon name="info" className="warn" />
        {state === "withdrawn" ? "Your request was withdrawn." : `Your request was refused: ${request.data?.decision_reason ?? "no reason is given"}.`}
      </p>
    );
  return (
    <div role="status" className="ask-said">
      <Icon name="clock" className="info" />
      <div>
        <p className="b">You have asked for this{request.data ? <>, {durationWords(request.data.duration)}</> : null}.</p>
        <p className="t2">
          {request.data ? (
            <>
              <Time at={request.data.created_at} />: “{request.data.purpose}”.{" "}
            </>
          ) : null}
          {grantors.length > 0 ? `Waiting for ${grantorWords(grantors)}. ` : null}
          This page opens as soon as it is granted; you can also close it. <Link to="/account?tab=requests">Your requests</Link>
        </p>
      </div>
    </div>
  );
}

function Given(): ReactElement {
  return (
    <p role="status" className="ask-said">
      <Icon name="check" className="ok" />
      You may do this now. Try it again.
    </p>
  );
}
