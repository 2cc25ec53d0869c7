// Audit records as sentences: "Dana Engel ran acme.drop". The record's own words stand beside them.

export type AuditRecord = {
  id: number;
  at: string;
  actor: string;
  actor_name: string;
  session: string | null;
  action: string;
  object: string;
  phase: "intent" | "outcome" | "event";
  result: string;
  request_id: string;
  address: string | null;
  details: Record<string, unknown>;
  writer: string;
  seq: number;
  hash: string;
};

export type AuditState = {
  covered: number;
  uncovered: number;
  statement: number;
  statement_at: string | null;
  archived: number;
  broken: { writer: string; seq: number; why: string }[];
  waiting: Record<string, number>;
  failing: Record<string, string>;
};

const EVENTS: Record<string, string> = {
  "core.session.started": "signed in",
  "core.session.ended": "signed out",
  "core.access.denied": "was refused",
  "core.audit.exported": "exported the audit log",
  "core.exchange.failed": "could not be signed in to",
};
/** Changes: as they are told when they are done, and when they are only wanted. */
const CHANGES: Record<string, [string, string]> = {
  "core.action.run": ["ran", "run"],
  "core.role.create": ["made the role", "make the role"],
  "core.role.change": ["changed the role", "change the role"],
  "core.role.delete": ["removed the role", "remove the role"],
  "core.binding.create": ["gave", "give"],
  "core.binding.change": ["changed the binding", "change the binding"],
  "core.binding.delete": ["took back the binding", "take back the binding"],
  "core.person.change": ["changed the account of", "change the account of"],
  "core.person.hand-over": ["handed over what belongs to", "hand over what belongs to"],
  "core.access.request.make": ["asked for", "ask for"],
  "core.access.request.decide": ["decided the request", "decide the request"],
  "core.access.request.withdraw": ["withdrew the request", "withdraw the request"],
  "core.token.create": ["made the API token", "make the API token"],
  "core.token.revoke": ["revoked the API token", "revoke the API token"],
  "core.session.end": ["ended the session", "end the session"],
  "core.session.end-all": ["ended sessions", "end sessions"],
};
/** Objects of these say nothing to a person: they are identifiers of sessions. */
const SILENT = new Set(["core.session.started", "core.session.ended"]);

/** What was done and to what; an event that nobody named is told by its own name. */
export function sentenceOf(record: AuditRecord): { verb: string; object: string } {
  if (record.action === "core.read.counted") return { verb: `has read: ${record.result}`, object: "" };
  const object = SILENT.has(record.action) ? "" : record.object;
  // A run of a plugin's action is on record under the action's own name, which is its object too.
  const change = record.action === record.object ? CHANGES["core.action.run"] : CHANGES[record.action];
  if (!change) return { verb: EVENTS[record.action] ?? record.action, object };
  if (record.phase === "intent") return { verb: `is about to ${change[1]}`, object };
  return { verb: /^(refused|failed)/.test(record.result) ? `could not ${change[1]}` : change[0], object };
}

/** The mark of a record: an intent waits for its outcome; a refusal and a failure stand out. */
export function markOf(record: AuditRecord): { state: string; label: string } {
  if (record.action === "core.access.denied") return { state: "failed", label: `Refused: ${record.result}` };
  if (record.phase === "intent") return { state: "queued", label: "Intent" };
  const code = /\b([1-5]\d\d)\b/.exec(record.result)?.[1];
  const failed = code ? Number(code) >= 400 : /^(failed|error|refused|denied)/i.test(record.result);
  return { state: failed ? "failed" : "success", label: record.result };
}

export type Change = { field: string; before: string; after: string; changed: boolean };

/** What a record says was before and is now, field by field; a field that is only on one side is empty on the other. */
export function changesOf(details: Record<string, unknown>): Change[] {
  const before = fieldsOf(details["before"]);
  const after = fieldsOf(details["after"]);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.map((field) => {
    const [old, now] = [before[field] ?? "", after[field] ?? ""];
    return { field, before: old, after: now, changed: old !== now };
  });
}

function fieldsOf(value: unknown): Record<string, string> {
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) return { value: written(value) };
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, written(each)]));
}

/** A value on one line. */
export function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each))).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Details besides before and after, as rows. */
export const otherDetails = (details: Record<string, unknown>): [string, string][] =>
  Object.entries(details)
    .filter(([name]) => name !== "before" && name !== "after")
    .map(([name, value]) => [name, written(value)]);

/** How the log stands, in one sentence. */
export function stateWords(state: AuditState): { mark: string; text: string } {
  const [first] = state.broken;
  if (first) return { mark: "failed", text: `Does not hold: ${first.why}, at record ${first.seq} of writer ${first.writer.slice(0, 8)}` };
  if (state.statement === 0) return { mark: "queued", text: "No statement covers the log yet" };
  const rest = state.uncovered ? `, ${state.uncovered.toLocaleString("en")} newer not yet` : "";
  return { mark: "success", text: `${state.covered.toLocaleString("en")} records are covered by statement ${state.statement}${rest}` };
}

/** Filters as they stand in the address, for the API. */
export const FILTERS = ["actor", "action", "object", "result", "phase", "session", "request_id", "since", "until"] as const;

/** The query for these filters: times of a day are those of who looks. */
export function queryOf(parameters: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    const value = parameters.get(name);
    if (!value) continue;
    const time = name === "since" || name === "until";
    const at = time ? new Date(value) : null;
    if (at && Number.isNaN(at.getTime())) continue;
    query.set(name, at ? at.toISOString() : value);
  }
  // An intent whose outcome stands beside it says nothing more: it is left out unless it is asked for.
  if (query.get("phase") === "all") query.delete("phase");
  else if (!query.has("phase") && !query.has("request_id")) query.set("phase", "last");
  return query;
}
