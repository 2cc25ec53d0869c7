// Where statements begin and end: a small scanner that knows strings, quoted names and comments of SQL. It never
// decides what may run (the engine does); it finds what the person means by "the statement here".

export type Span = { start: number; end: number };
type Kind = "code" | "string" | "name" | "comment";

function* tokens(sql: string): Generator<{ kind: Kind; start: number; end: number }> {
  let at = 0;
  let code = 0;
  while (at < sql.length) {
    const two = sql.slice(at, at + 2);
    const one = sql[at] ?? "";
    let end = -1;
    let kind: Kind = "code";
    if (two === "--") {
      const line = sql.indexOf("\n", at);
      end = line < 0 ? sql.length : line;
      kind = "comment";
    } else if (two === "/*") {
      const close = sql.indexOf("*/", at + 2);
      end = close < 0 ? sql.length : close + 2;
      kind = "comment";
    } else if (one === "'" || one === '"') {
      end = closing(sql, at + 1, one);
      kind = one === "'" ? "string" : "name";
    }
    if (end < 0) {
      at += 1;
      continue;
    }
    if (code < at) yield { kind: "code", start: code, end: at };
    yield { kind, start: at, end };
    at = end;
    code = end;
  }
  if (code < sql.length) yield { kind: "code", start: code, end: sql.length };
}

/** After the closing quote; a doubled quote is part of the text. */
function closing(sql: string, from: number, quote: string): number {
  for (let at = from; at < sql.length; at += 1) {
    if (sql[at] !== quote) continue;
    if (sql[at + 1] !== quote) return at + 1;
    at += 1;
  }
  return sql.length;
}

/** The beginning of a statement in one line, without its comments; for lists. */
export function previewOf(sql: string, most = 200): string {
  let text = "";
  for (const { kind, start, end } of tokens(sql)) {
    text += kind === "comment" ? " " : sql.slice(start, end);
    if (text.length > most * 4) break;
  }
  const line = (text.trim() || sql).replaceAll(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** The statements of a text, without the semicolons between them; those that hold only comments are left out. */
export function splitStatements(sql: string): Span[] {
  const spans: Span[] = [];
  let start = 0;
  let meaningful = false;
  const close = (end: number): void => {
    if (meaningful) spans.push(trim(sql, start, end));
    start = end + 1;
    meaningful = false;
  };
  for (const token of tokens(sql)) {
    if (token.kind !== "code") {
      meaningful ||= token.kind !== "comment";
      continue;
    }
    for (let at = token.start; at < token.end; at += 1) {
      if (sql[at] === ";") close(at);
      else if (!/\s/.test(sql[at] ?? "")) meaningful = true;
    }
  }
  close(sql.length);
  return spans;
}

function trim(sql: string, start: number, end: number): Span {
  let [a, b] = [start, end];
  while (a < b && /\s/.test(sql[a] ?? "")) a += 1;
  while (b > a && /\s/.test(sql[b - 1] ?? "")) b -= 1;
  return { start: a, end: b };
}

/** The statement at an offset: the one it stands in, else the last one before it. */
export function statementAt(sql: string, offset: number): Span | null {
  const spans = splitStatements(sql);
  return spans.find((s) => offset <= s.end) ?? spans.at(-1) ?? null;
}

/** Names of `:name` parameters in order of appearance; not in strings, comments, or after another colon (casts). */
export function parameterNames(sql: string): string[] {
  const found = new Set<string>();
  for (const token of tokens(sql)) {
    if (token.kind !== "code") continue;
    for (const match of sql.slice(token.start, token.end).matchAll(/(?<![:\w]):([A-Za-z_]\w*)/g)) found.add(match[1] ?? "");
  }
  return [...found];
}

/** What a person typed for a parameter: a number or true/false where it reads like one, quoted text as text. */
export function parameterValue(text: string): string | number | boolean | null {
  const trimmed = text.trim();
  if (trimmed === "" || /^null$/i.test(trimmed)) return null;
  if (/^'.*'$/s.test(trimmed)) return trimmed.slice(1, -1).replaceAll("''", "'");
  if (/^-?\d{1,15}$/.test(trimmed)) return Number(trimmed);
  if (/^-?\d+\.\d+$/.test(trimmed) && trimmed.length < 16) return Number(trimmed);
  if (/^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase() === "true";
  return text;
}

/** Names of common table expressions, for completion. */
export function commonTables(sql: string): string[] {
  return [...sql.matchAll(/(?:\bwith|,)\s+(?:recursive\s+)?([A-Za-z_]\w*)\s*(?:\([^)]*\)\s*)?as\s*\(/gi)].map((m) => m[1] ?? "");
}

/** The offset of a line and a column, both from 1; what lies outside is brought to the nearest place. */
export function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let at = 1; at < line; at += 1) {
    const end = text.indexOf("\n", start);
    if (end < 0) break;
    start = end + 1;
  }
  const end = text.indexOf("\n", start);
  return Math.min(start + Math.max(0, column - 1), end < 0 ? text.length : end);
}

/** What the workbench puts before a statement that is to be explained, by how. */
export const EXPLAIN = { plan: "EXPLAIN ", distributed: "EXPLAIN (TYPE DISTRIBUTED) ", io: "EXPLAIN (TYPE IO, FORMAT JSON) " };
export type ExplainKind = keyof typeof EXPLAIN;
const EXPLAINED = /^EXPLAIN (?:\(TYPE [A-Z, ]+\) )?/;

/**
 * Where in the editor's text a fault stands that an engine told of the statement it was sent: `from` is where that
 * statement stood. Null when the text was changed since, so that no mark points at the wrong word.
 */
export function faultAt(whole: string, sent: string, from: number, fault: { line: number; column: number }): number | null {
  const inside = offsetOf(sent, fault.line, fault.column);
  const prefix = EXPLAINED.exec(sent)?.[0].length ?? 0;
  for (const [text, before] of [[sent, 0], [sent.slice(prefix), prefix]] as const) {
    const start = whole.startsWith(text, from) ? from : whole.indexOf(text);
    if (start >= 0) return start + Math.max(0, inside - before);
  }
  return null;
}
