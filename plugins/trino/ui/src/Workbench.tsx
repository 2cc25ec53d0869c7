// The SQL workbench: catalog tree, editor with tabs, result. Every state is in the URL, the browser's drafts, or the server.
import { Button, Drawer, EmptyState, ErrorState, getPreference, Icon, Loading, Modal, setPreference, Splitter, toast, useApi, useApiMutation, usePermission, useSearchParams } from "@openlakes/ui";
import { useCallback, useEffect, useMemo, useRef, useState, type ReactElement } from "react";
import { createSaved, formatSql, getQuery, getSaved, paths, updateSaved, type SavedInput } from "./client";
import { EditorPane, type EditorHandle, type RunWhat } from "./EditorPane";
import { LibraryDrawer, SaveDialogBody } from "./LibraryDrawer";
import { ResultPane } from "./ResultPane";
import { parameterNames, parameterValue } from "./statements";
import { runOf, useRun, useTabs, type Tab } from "./tabs";
import { Toolbar } from "./Toolbar";
import { quoted, Tree } from "./Tree";
import { BASE, type EngineInfo, type Named, type Page, type Query, type SavedQuery } from "./types";
import "./workbench.css";

export function Workbench(): ReactElement {
  const engines = useApi<Page<EngineInfo>>(paths.engines);
  if (!engines.data) return engines.error ? <ErrorState error={engines.error} retry={() => void engines.refetch()} /> : <Loading rows={8} />;
  if (engines.data.items.length === 0)
    return (
      <div className="page">
        <h1>SQL</h1>
        <EmptyState title="No SQL engine is configured">
          Set <code>plugins.trino.trino.address</code>, or give the embedded engine a catalog in <code>plugins.trino.duckdb.catalogs</code>.
        </EmptyState>
      </div>
    );
  return <Bench engines={engines.data.items} />;
}

function Bench({ engines }: { engines: EngineInfo[] }): ReactElement {
  const { tabs, active, change, open, close, select } = useTabs();
  const [parameters, setParameters] = useSearchParams();
  const [tree, setTree] = useState(false);
  const [library, setLibrary] = useState(false);
  const [saving, setSaving] = useState(false);
  const [treeWidth, setTreeWidth] = useState(() => Number(getPreference("sql.tree", "236")));
  const [editorHeight, setEditorHeight] = useState(() => Number(getPreference("sql.editor", "260")));
  const [faultLine, setFaultLine] = useState(1);
  const handle = useRef<EditorHandle | null>(null);
  const engine = engines.find((e) => e.id === active.engine) ?? engines.find((e) => e.default) ?? (engines[0] as EngineInfo);
  const places = usePlaces(engine.id);
  const place = active.catalog && active.schema ? `${active.catalog}.${active.schema}` : (places[0] ?? "");
  const [catalog, schema] = useMemo(() => (place ? [place.slice(0, place.indexOf(".")), place.slice(place.indexOf(".") + 1)] : [null, null]), [place]);
  const canShare = usePermission("trino:query:share");

  useEffect(() => {
    document.title = "SQL · OpenLakes";
  }, []);

  const onId = useCallback(
    (id: string) => {
      change(active.id, { queryId: id });
      setParameters({ query: id }, { replace: true });
    },
    [active.id, change, setParameters],
  );
  const { view, start, stop } = useRun(active, onId);
  const busy = runOf(active.id)?.busy ?? false;

  const openSaved = useCallback(
    (saved: SavedQuery) => {
      open({
        name: saved.name,
        sql: saved.sql,
        engine: saved.engine,
        catalog: saved.catalog,
        schema: saved.schema,
        parameters: Object.fromEntries(Object.entries(saved.parameters ?? {}).map(([k, v]) => [k, v === null ? "" : String(v)])),
        savedId: saved.origin === "own" ? saved.id : null,
        savedVersion: saved.version,
        savedSql: saved.sql,
      });
      setLibrary(false);
    },
    [open],
  );
  const openQuery = useCallback(
    (query: Query) => {
      const held = tabs.find((t) => t.queryId === query.id);
      if (held) select(held.id);
      else open({ sql: query.sql, engine: query.engine, catalog: query.catalog, schema: query.schema, queryId: query.id, parameters: asText(query.parameters) });
      setLibrary(false);
    },
    [tabs, open, select],
  );
  useAddress(parameters, setParameters, openSaved, openQuery, (name) => {
    open({ name: name.split(".").at(-1) ?? "", sql: `SELECT *\nFROM ${name}\nLIMIT 100` });
  });

  const names = useMemo(() => parameterNames(active.sql), [active.sql]);
  const run = (what: RunWhat, prefix = ""): void => {
    const chosen = handle.current?.text(what) ?? { sql: active.sql, line: 1 };
    if (!chosen.sql.trim()) {
      toast("info", "There is no statement to run.");
      return;
    }
    setFaultLine(chosen.line);
    const used = parameterNames(chosen.sql);
    start({
      sql: prefix && !/^\s*explain\b/i.test(chosen.sql) ? `${prefix}${chosen.sql}` : chosen.sql,
      engine: engine.id,
      catalog,
      schema,
      parameters: Object.fromEntries(used.map((name) => [name, parameterValue(active.parameters[name] ?? "")])),
      row_limit: active.limit,
    });
  };
  const format = async (): Promise<void> => {
    try {
      change(active.id, { sql: await formatSql(active.sql, engine.id) });
    } catch (error) {
      toast("bad", error instanceof Error ? error.message : "It could not be formatted.");
    }
  };
  const sample = (c: string, s: string, t: string): void => {
    const sql = `SELECT *\nFROM ${[c, s, t].map(quoted).join(".")}\nLIMIT 100`;
    const tab = open({ name: t, sql, catalog: c, schema: s, engine: engine.id });
    setTree(false);
    pending.current = { tab: tab.id, sql };
  };
  // A sample runs as soon as its tab is the active one, whose run `start` belongs to.
  const pending = useRef<{ tab: string; sql: string } | null>(null);
  useEffect(() => {
    if (pending.current?.tab !== active.id) return;
    const { sql } = pending.current;
    pending.current = null;
    start({ sql, engine: engine.id, catalog, schema, row_limit: 100 });
  }, [active.id, start, engine.id, catalog, schema]);

  const treeProps = {
    engine: engine.id,
    catalog,
    schema,
    onInsert: (text: string) => {
      setTree(false);
      handle.current?.insert(text);
    },
    onSample: sample,
  };
  const fault = view?.query?.state === "failed" && view.query.error ? view.query.error : null;
  const marked = useMemo(() => (fault ? { error: fault, line: faultLine } : null), [fault, faultLine]);

  return (
    <div className="sql-bench">
      <h1 className="visually-hidden">SQL workbench</h1>
      <aside className="only-l sql-aside" style={{ width: treeWidth }} aria-label="Catalog">
        <Tree {...treeProps} />
      </aside>
      <div className="only-l sql-split">
        <Splitter label="Width of the catalog" axis="x" min={160} max={520} value={treeWidth} onChange={(v) => (setTreeWidth(v), setPreference("sql.tree", String(v)))} />
      </div>
      <section className="sql-work" aria-label="Query editor">
        <TabBar tabs={tabs} active={active.id} onSelect={select} onClose={close} onNew={() => open({ engine: active.engine, catalog: active.catalog, schema: active.schema })} onLibrary={() => setLibrary(true)} />
        <Toolbar
          busy={busy}
          stopping={view?.stopping ?? false}
          engines={engines}
          engine={engine.id}
          place={place}
          places={places}
          limit={active.limit}
          parameters={names.map((name) => ({ name, value: active.parameters[name] ?? "" }))}
          onRun={() => run("statement")}
          onRunAll={() => run("all")}
          onStop={stop}
          onExplain={() => run("statement", "EXPLAIN ")}
          onFormat={() => void format()}
          onSave={() => setSaving(true)}
          onLibrary={() => setLibrary(true)}
          onTree={() => setTree(true)}
          onEngine={(id) => change(active.id, { engine: id, catalog: null, schema: null })}
          onPlace={(p) => change(active.id, { catalog: p.slice(0, p.indexOf(".")) || null, schema: p.slice(p.indexOf(".") + 1) || null })}
          onLimit={(limit) => change(active.id, { limit })}
          onParameter={(name, value) => change(active.id, { parameters: { ...active.parameters, [name]: value } })}
        />
        <div className="sql-editor" style={{ height: editorHeight }}>
          <EditorPane
            key={active.id}
            value={active.sql}
            scope={{ engine: engine.id, catalog, schema }}
            fault={marked}
            onChange={(sql) => change(active.id, { sql })}
            onRun={(what) => run(what)}
            onSave={() => setSaving(true)}
            onHandle={(h) => (handle.current = h)}
          />
        </div>
        <Splitter label="Height of the editor" axis="y" min={90} max={700} value={editorHeight} onChange={(v) => (setEditorHeight(v), setPreference("sql.editor", String(v)))} />
        <ResultPane key={`${active.id}${view?.startedAt ?? ""}`} view={view} engineTitle={(id) => engines.find((e) => e.id === id)?.title ?? id} />
      </section>
      <Drawer opened={tree} onClose={() => setTree(false)} title="Catalog" size={300}>
        <Tree {...treeProps} />
      </Drawer>
      {library ? <LibraryDrawer onClose={() => setLibrary(false)} onSaved={openSaved} onQuery={openQuery} /> : null}
      <SaveModal opened={saving} tab={active} engine={engine.id} catalog={catalog} schema={schema} canShare={canShare} onClose={() => setSaving(false)} onSaved={(part) => change(active.id, part)} />
    </div>
  );
}

const asText = (values: Record<string, unknown> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(values ?? {}).map(([k, v]) => [k, v === null ? "" : String(v)]));

/** `catalog.schema` pairs of the first catalogs, for the picker. */
function usePlaces(engine: string): string[] {
  const catalogs = useApi<Page<Named>>(paths.catalogs(engine));
  const first = catalogs.data?.items[0]?.name;
  const second = catalogs.data?.items[1]?.name;
  const a = useApi<Page<Named>>(first ? paths.schemas(engine, first) : null);
  const b = useApi<Page<Named>>(second ? paths.schemas(engine, second) : null);
  return useMemo(() => {
    const pairs = [...(a.data?.items ?? []).map((s) => `${first}.${s.name}`), ...(b.data?.items ?? []).map((s) => `${second}.${s.name}`)];
    return pairs.sort((x, y) => Number(x.includes("information_schema")) - Number(y.includes("information_schema")));
  }, [a.data, b.data, first, second]);
}

/** What the address asks for: a query, a saved query, a table; each once. */
function useAddress(
  parameters: URLSearchParams,
  setParameters: (next: Record<string, string>, options: { replace: boolean }) => void,
  onSaved: (saved: SavedQuery) => void,
  onQuery: (query: Query) => void,
  onTable: (name: string) => void,
): void {
  const done = useRef(new Set<string>());
  const wanted = parameters.toString();
  useEffect(() => {
    if (!wanted || done.current.has(wanted)) return;
    done.current.add(wanted);
    const asked = new URLSearchParams(wanted);
    const [query, saved, table] = [asked.get("query"), asked.get("saved"), asked.get("table")];
    const fail = (error: unknown): void => toast("bad", error instanceof Error ? error.message : "It could not be opened.");
    if (query) getQuery(query).then(onQuery).catch(fail);
    else if (saved) getSaved(saved).then(onSaved).catch(fail);
    else if (table) onTable(table);
    if (saved || table) setParameters({}, { replace: true });
  }, [wanted, onQuery, onSaved, onTable, setParameters]);
}

function TabBar({ tabs, active, onSelect, onClose, onNew, onLibrary }: { tabs: Tab[]; active: string; onSelect: (id: string) => void; onClose: (id: string) => void; onNew: () => void; onLibrary: () => void }): ReactElement {
  return (
    <div className="sql-tabs">
      <div className="sql-tablist" role="group" aria-label="Open queries">
        {tabs.map((tab, i) => (
          <div key={tab.id} className="sql-tab" data-active={tab.id === active || undefined}>
            <button type="button" className="sql-pick" aria-pressed={tab.id === active} onClick={() => onSelect(tab.id)}>
              {tab.name || `Untitled ${i + 1}`}
              {tab.savedSql !== null && tab.savedSql !== tab.sql ? <span title="Changed since it was saved"> •</span> : null}
              {runOf(tab.id)?.busy ? <span className="sql-running" aria-label="running" role="img" /> : null}
            </button>
            <button type="button" className="sql-close" aria-label={`Close ${tab.name || `Untitled ${i + 1}`}`} onClick={() => onClose(tab.id)}>
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
      <Button variant="subtle" color="gray" aria-label="New query" onClick={onNew}>
        <Icon name="plus" />
      </Button>
      <span className="grow" />
      <Button className="only-l" variant="subtle" color="gray" leftSection={<Icon name="history" />} onClick={onLibrary}>
        Queries
      </Button>
    </div>
  );
}

function SaveModal({ opened, tab, engine, catalog, schema, canShare, onClose, onSaved }: {
  opened: boolean;
  tab: Tab;
  engine: string;
  catalog: string | null;
  schema: string | null;
  canShare: boolean;
  onClose: () => void;
  onSaved: (part: Partial<Tab>) => void;
}): ReactElement {
  const save = useApiMutation<{ name: string; shared: boolean }, SavedQuery>(
    ({ name, shared }) => {
      const parameters = Object.fromEntries(Object.entries(tab.parameters).map(([k, v]) => [k, parameterValue(v)]));
      const input: SavedInput = { name, sql: tab.sql, engine, catalog, schema, parameters, ...(canShare ? { shared } : {}) };
      return tab.savedId ? updateSaved(tab.savedId, tab.savedVersion, input) : createSaved(input);
    },
    [`${BASE}/saved-queries`],
  );
  return (
    <Modal opened={opened} onClose={onClose} title={tab.savedId ? "Save changes" : "Save query"}>
      <SaveDialogBody
        name={tab.name}
        shared={false}
        canShare={canShare}
        busy={save.isPending}
        onSave={(name, shared) =>
          save.mutate(
            { name, shared },
            {
              onSuccess: (saved) => {
                onSaved({ name, savedId: saved.id, savedVersion: saved.version, savedSql: tab.sql });
                toast("ok", `“${name}” is saved.`);
                onClose();
              },
            },
          )
        }
      />
      {save.error ? <ErrorState error={save.error} /> : null}
    </Modal>
  );
}
