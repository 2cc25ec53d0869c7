// One record with all that was recorded of its request, what it changed, and its place in the chain.
import { Modal } from "@mantine/core";
import type { ReactElement } from "react";
import { useApi } from "../../ui/api";
import { useReturnFocus } from "../../ui/return-focus";
import { Loaded } from "../../ui/states";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { changesOf, markOf, otherDetails, sentenceOf, type AuditRecord } from "./words";

type Answer = { record: AuditRecord; story: AuditRecord[] };

export function Story({ id, onClose, onFilter }: { id: string; onClose: () => void; onFilter: (name: string, value: string) => void }): ReactElement {
  useReturnFocus();
  const query = useApi<Answer>(`/api/audit/records/${encodeURIComponent(id)}`);
  return (
    <Modal opened onClose={onClose} title={`Record ${id}`} size="xl">
      <Loaded query={query} rows={8}>
        {({ record, story }) => (
          <div className="stack">
            <Facts record={record} onFilter={onFilter} />
            <Changes record={story.find((each) => each.phase === "outcome") ?? record} />
            <section aria-label="All of this request">
              <h3>All of this request</h3>
              <ol className="story">
                {story.map((each) => (
                  <Step key={each.id} record={each} here={each.id === record.id} />
                ))}
              </ol>
            </section>
          </div>
        )}
      </Loaded>
    </Modal>
  );
}

function Facts({ record, onFilter }: { record: AuditRecord; onFilter: (name: string, value: string) => void }): ReactElement {
  const { verb, object } = sentenceOf(record);
  const session = record.session;
  return (
    <>
      <p>
        <span className="b">{record.actor_name}</span> {verb} {object ? <code>{object}</code> : null}
      </p>
      <dl className="ask-facts audit-facts">
        <dt>When</dt>
        <dd><Time at={record.at} /> <code className="t3">{record.at}</code></dd>
        <dt>Who</dt>
        <dd><code>{record.actor}</code></dd>
        {session ? (
          <>
            <dt>{session.startsWith("tok") ? "API token" : "Session"}</dt>
            <dd>
              <button type="button" className="link-button" onClick={() => onFilter("session", session)}>
                <code>{session}</code>
              </button>
            </dd>
          </>
        ) : null}
        <dt>From</dt>
        <dd><code>{record.address ?? "the portal itself"}</code></dd>
        <dt>Action</dt>
        <dd><code>{record.action}</code></dd>
        <dt>Result</dt>
        <dd><Status {...markOf(record)} /></dd>
        <dt>Request</dt>
        <dd><code>{record.request_id}</code></dd>
        {otherDetails(record.details).map(([name, value]) => (
          <Detail key={name} name={name} value={value} />
        ))}
        <dt>In the chain</dt>
        <dd className="small t2">
          {record.seq.toLocaleString("en")} of writer <code>{record.writer.slice(0, 8)}</code>, <code title={record.hash}>{record.hash.slice(0, 16)}…</code>
        </dd>
      </dl>
    </>
  );
}

function Detail({ name, value }: { name: string; value: string }): ReactElement {
  return (
    <>
      <dt>{name}</dt>
      <dd><code>{value}</code></dd>
    </>
  );
}

function Changes({ record }: { record: AuditRecord }): ReactElement | null {
  const changes = changesOf(record.details);
  if (changes.length === 0) return null;
  return (
    <section aria-label="Before and after">
      <h3>Before and after</h3>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard */}
      <div className="scroll-x" role="region" aria-label="Before and after, table" tabIndex={0}>
        <table className="plain audit-changes">
          <thead>
            <tr><th>Field</th><th>Before</th><th>After</th></tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={change.field} data-changed={change.changed || undefined}>
                <td>{change.field}</td>
                <td>{change.before ? <code>{change.before}</code> : <span className="t3">–</span>}</td>
                <td>{change.after ? <code>{change.after}</code> : <span className="t3">–</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Step({ record, here }: { record: AuditRecord; here: boolean }): ReactElement {
  const { verb, object } = sentenceOf(record);
  return (
    <li aria-current={here ? "true" : undefined}>
      <code className="t3">{record.at.slice(11, 23)}</code>
      <span className="story-words">
        {verb} {object ? <code>{object}</code> : null}
      </span>
      <Status {...markOf(record)} />
    </li>
  );
}
