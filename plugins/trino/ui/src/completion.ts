// Completion from the live tree: catalogs, schemas, tables, columns, functions, and the statement's own CTEs.
import type { Monaco } from "@openlakes/ui";
import { api } from "@openlakes/ui";
import { paths } from "./client";
import { commonTables } from "./statements";
import type { Named, Page, TableDetail, TableEntry } from "./types";

export type Scope = { engine: string; catalog: string | null; schema: string | null };
type Item = { label: string; kind: "keyword" | "function" | "catalog" | "schema" | "table" | "column" | "cte"; detail?: string };

const KEYWORDS =
  "SELECT FROM WHERE GROUP BY ORDER LIMIT OFFSET HAVING JOIN LEFT RIGHT FULL INNER OUTER CROSS ON USING AS WITH RECURSIVE UNION ALL INTERSECT EXCEPT DISTINCT CASE WHEN THEN ELSE END AND OR NOT IN EXISTS BETWEEN LIKE IS NULL TRUE FALSE CAST VALUES DESC ASC NULLS FIRST LAST OVER PARTITION FILTER EXPLAIN DESCRIBE SHOW TABLES SCHEMAS".split(
    " ",
  );

const cache = new Map<string, Promise<unknown>>();
function cached<T>(path: string): Promise<T> {
  const held = cache.get(path);
  if (held) return held as Promise<T>;
  const asked = api<T>(path);
  cache.set(path, asked);
  asked.catch(() => cache.delete(path));
  setTimeout(() => cache.delete(path), 60_000);
  return asked;
}
const names = async (path: string): Promise<string[]> =>
  (await cached<Page<Named>>(path).catch(() => ({ items: [] as Named[] }))).items.map((n) => n.name);
const functions = async (engine: string): Promise<string[]> =>
  (await cached<Page<string>>(paths.functions(engine)).catch(() => ({ items: [] as string[] }))).items;
const tables = async (scope: Scope, catalog: string, schema: string): Promise<TableEntry[]> =>
  (await cached<Page<TableEntry>>(paths.tables(scope.engine, catalog, schema)).catch(() => ({ items: [] as TableEntry[] }))).items;
const columns = async (scope: Scope, catalog: string, schema: string, table: string): Promise<Item[]> =>
  (await cached<TableDetail>(paths.table(scope.engine, catalog, schema, table)).catch(() => ({ columns: [] as TableDetail["columns"] }))).columns.map((c) => ({
    label: c.name,
    kind: "column",
    detail: c.type,
  }));

type Source = { catalog: string | null; schema: string | null; table: string; alias: string };

/** Tables that a statement reads, with their aliases. */
export function sourcesOf(sql: string, scope: Scope): Source[] {
  const found: Source[] = [];
  for (const match of sql.matchAll(/\b(?:from|join)\s+((?:[\w"]+\s*\.\s*){0,2}[\w"]+)(?:\s+(?:as\s+)?(?!on\b|using\b|where\b|join\b|left\b|right\b|full\b|inner\b|cross\b|group\b|order\b|limit\b)([A-Za-z_]\w*))?/gi)) {
    const parts = (match[1] ?? "").split(".").map((p) => p.trim().replaceAll('"', ""));
    const table = parts.at(-1) ?? "";
    found.push({ catalog: parts.at(-3) ?? scope.catalog, schema: parts.at(-2) ?? scope.schema, table, alias: match[2] ?? table });
  }
  return found;
}

type Real = { catalog: string; schema: string; table: string; alias: string };

/** Those that are tables of the tree: a name of the statement's own is asked for nowhere. */
async function existing(sources: Source[], scope: Scope): Promise<Real[]> {
  const found = await Promise.all(
    sources.map(async ({ catalog, schema, table, alias }) => {
      if (!catalog || !schema) return [];
      const known = await tables(scope, catalog, schema);
      return known.some((t) => t.name === table) ? [{ catalog, schema, table, alias }] : [];
    }),
  );
  return found.flat();
}

const asTables = (entries: TableEntry[]): Item[] => entries.map((t) => ({ label: t.name, kind: "table", detail: t.kind }));

/** What may follow at the end of `before`; `whole` is the statement around it. */
export async function suggestions(before: string, whole: string, scope: Scope): Promise<Item[]> {
  const path = /((?:[\w"]+\s*\.\s*)*)[\w"]*$/.exec(before)?.[1] ?? "";
  const parts = path.split(".").map((p) => p.trim().replaceAll('"', "")).filter(Boolean);
  const sources = sourcesOf(whole, scope);
  const [first, second, third] = parts;
  if (first && second && third) return columns(scope, first, second, third);
  if (first && second) {
    const catalogs = await names(paths.catalogs(scope.engine));
    if (catalogs.includes(first)) return asTables(await tables(scope, first, second));
    return scope.catalog ? columns(scope, scope.catalog, first, second) : [];
  }
  if (first) {
    const [source] = await existing(sources.filter((s) => s.alias.toLowerCase() === first.toLowerCase()), scope);
    if (source) return columns(scope, source.catalog, source.schema, source.table);
    const catalogs = await names(paths.catalogs(scope.engine));
    if (catalogs.includes(first)) return (await names(paths.schemas(scope.engine, first))).map((label) => ({ label, kind: "schema" }));
    return scope.catalog ? asTables(await tables(scope, scope.catalog, first)) : [];
  }
  const real = await existing(sources.slice(0, 6), scope);
  const [catalogs, known, here, ...ofSources] = await Promise.all([
    names(paths.catalogs(scope.engine)),
    functions(scope.engine),
    scope.catalog && scope.schema ? tables(scope, scope.catalog, scope.schema) : Promise.resolve([]),
    ...real.map((s) => columns(scope, s.catalog, s.schema, s.table)),
  ]);
  const items: Item[] = [
    ...ofSources.flat(),
    ...commonTables(whole).map((label): Item => ({ label, kind: "cte", detail: "in this statement" })),
    ...asTables(here),
    ...catalogs.map((label): Item => ({ label, kind: "catalog" })),
    ...known.map((label): Item => ({ label, kind: "function" })),
    ...KEYWORDS.map((label): Item => ({ label, kind: "keyword" })),
  ];
  const seen = new Set<string>();
  return items.filter((i) => !seen.has(`${i.kind}${i.label}`) && seen.add(`${i.kind}${i.label}`));
}

const ORDER: Item["kind"][] = ["column", "cte", "table", "schema", "catalog", "function", "keyword"];

/** Register with the editor; returns what takes it away again. */
export function registerCompletion(monaco: Monaco, scope: () => Scope): () => void {
  const kinds = monaco.languages.CompletionItemKind;
  const icon = { keyword: kinds.Keyword, function: kinds.Function, catalog: kinds.Module, schema: kinds.Module, table: kinds.Class, column: kinds.Field, cte: kinds.Variable };
  const registered = monaco.languages.registerCompletionItemProvider("sql", {
    triggerCharacters: ["."],
    provideCompletionItems: async (model, position) => {
      const word = model.getWordUntilPosition(position);
      const range = new monaco.Range(position.lineNumber, word.startColumn, position.lineNumber, word.endColumn);
      const before = model.getValueInRange(new monaco.Range(1, 1, position.lineNumber, position.column));
      const found = await suggestions(before, model.getValue(), scope());
      return {
        suggestions: found.map((item) => ({
          label: item.label,
          detail: item.detail ?? item.kind,
          kind: icon[item.kind],
          insertText: item.kind === "keyword" || /^[a-z_]\w*$/i.test(item.label) ? item.label : `"${item.label.replaceAll('"', '""')}"`,
          sortText: `${ORDER.indexOf(item.kind)}${item.label}`,
          range,
        })),
      };
    },
  });
  return () => registered.dispose();
}
