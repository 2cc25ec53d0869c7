// Audit records as sentences: "Dana Engel ran acme.drop". The record's own words stand beside them.

export type AuditRecord = {
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
  details: Record<string, unknown>;
};

const VERBS: Record<string, string> = {
  "core.session.started": "signed in",
  "core.session.ended": "signed out",
  "core.access.denied": "was refused",
  "core.action.run": "ran",
};
/** Objects of these say nothing to a person: they are identifiers of sessions. */
const SILENT = new Set(["core.session.started", "core.session.ended"]);

/** What was done and to what; an event that nobody named is told by its own name. */
export function sentenceOf(record: AuditRecord): { verb: string; object: string } {
  // A run of a plugin's action is on record under the action's own name, which is its object too.
  const ran = record.action === record.object || VERBS[record.action] === "ran";
  if (ran) return { verb: record.phase === "intent" ? "is about to run" : "ran", object: record.object };
  return { verb: VERBS[record.action] ?? record.action, object: SILENT.has(record.action) ? "" : record.object };
}

/** The mark of a record: an intent waits for its outcome; a refusal and a failure stand out. */
export function markOf(record: AuditRecord): { state: string; label: string } {
  if (record.action === "core.access.denied") return { state: "failed", label: `Refused: ${record.result}` };
  if (record.phase === "intent") return { state: "queued", label: "Intent" };
  const code = /\b([1-5]\d\d)\b/.exec(record.result)?.[1];
  const failed = code ? Number(code) >= 400 : /^(failed|error|refused|denied)/i.test(record.result);
  return { state: failed ? "failed" : "success", label: record.result };
}
