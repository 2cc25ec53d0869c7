// The SQL workbench: catalog tree, editor with tabs, result. Every state is in the URL, the browser's drafts, or the server.
import { Drawer, EmptyState, ErrorState, getPreference, Icon, Loading, Select, setPreference, Splitter, toast, useApi, usePermission, useSearchParams, useSession } from "@openlakes/ui";
import { useCallback, useEffect, useEffectEvent, useMemo, useRef, useState, type ReactElement } from "react";
import { formatSql, paths, type NewQuery } from "./client";
import { EditorPane, type EditorHandle, type RunWhat } from "./EditorPane";
import { LibraryDrawer } from "./LibraryDrawer";
import { useAddress, usePlaces } from "./place";
import { isResultTab, ResultPane } from "./ResultPane";
import { SaveModal } from "./SaveModal";
import { SessionDrawer } from "./SessionDrawer";
import { EXPLAIN, faultAt, parameterNames, parameterValue } from "./statements";
import { TabBar } from "./TabBar";
import { titleOf } from "./tab-store";
import { runOf, useRun, useTabs, type Tab } from "./tabs";
import { Toolbar } from "./Toolbar";
import { quoted, Tree } from "./Tree";
import type { EngineInfo, Page, Query, SavedQuery } from "./types";
import "./workbench.css";

export function Workbench(): ReactElement {
  const owner = useSession().username;
  const engines = useApi<Page<EngineInfo>>(paths.engines, { refresh: 15 });
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
  return <Bench key={owner} owner={owner} engines={engines.data.items} />;
}

/** Alt+Shift+T, as Ctrl+Shift+T is the browser's own; the key's place, as Alt writes other letters on some keyboards. */
function useReopenKey(reopen: () => void): void {
  const run = useEffectEvent(() => reopen());
  useEffect(() => {
    const down = (event: KeyboardEvent): void => {
      if (event.code !== "KeyT" || !event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      run();
    };
    window.addEventListener("keydown", down, true);
    return () => window.removeEventListener("keydown", down, true);
  }, []);
}

/** An engine that can take no statements now, and what runs them meanwhile. */
function Away({ engines, engine }: { engines: EngineInfo[]; engine: EngineInfo }): ReactElement | null {
  const away = engines.find((e) => e.unavailable !== null);
  if (!away) return null;
  const other = engines.find((e) => e.unavailable === null);
  const then = !other ? "Statements fail until it is there." : engine.id === away.id ? `Choose ${other.title} to run statements now.` : `${other.title} runs statements meanwhile.`;
  return (
    <p className="notice sql-away" data-tone="warn" role="status">
      <Icon name="warn" />
      {away.unavailable} {then}
    </p>
  );
}

const asText = (values: Record<string, unknown> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(values ?? {}).map(([k, v]) => [k, v === null ? "" : String(v)]));

function Bench({ owner, engines }: { owner: string; engines: EngineInfo[] }): ReactElement {
  const { tabs, active, closed, change, open, close, reopen, select } = useTabs(owner);
  const [parameters, setParameters] = useSearchParams();
  const [tree, setTree] = useState(false);
  const [library, setLibrary] = useState(false);
  const [saving, setSaving] = useState(false);
  const [properties, setProperties] = useState(false);
  const [treeWidth, setTreeWidth] = useState(() => Number(getPreference("sql.tree", "236")));
  const [editorHeight, setEditorHeight] = useState(() => Number(getPreference("sql.editor", "260")));
  const closedRef = useRef(closed);
  useEffect(() => {
    closedRef.current = closed;
  });
  const handle = useRef<EditorHandle | null>(null);
  const engine = engines.find((e) => e.id === active.engine) ?? engines.find((e) => e.default) ?? (engines[0] as EngineInfo);
  const places = usePlaces(engine.id);
  const place = active.catalog && active.schema ? `${active.catalog}.${active.schema}` : (places[0] ?? "");
  const [catalog, schema] = useMemo(() => (place ? [place.slice(0, place.indexOf(".")), place.slice(place.indexOf(".") + 1)] : [null, null]), [place]);
  const canShare = usePermission("trino:query:share");

  const address = useCallback(
    (part: Record<string, string | null>) =>
      setParameters(
        (old) => {
          // What the address asked for once: `old` may be of a render that still had it, and would ask again for ever.
          for (const asked of ["saved", "table"]) old.delete(asked);
          for (const [name, value] of Object.entries(part)) {
            if (value) old.set(name, value);
            else old.delete(name);
          }
          return old;
        },
        { replace: true },
      ),
    [setParameters],
  );
  const onStarted = useCallback(
    (id: string, number: number) => {
      change(active.id, (tab) => ({ queryId: id, results: number === 0 ? [id] : [...tab.results, id] }));
      address({ query: id });
    },
    [active.id, change, address],
  );
  const { view, start, stop, show } = useRun(active, onStarted);
  const busy = runOf(active.id)?.busy ?? false;

  const openTab = useCallback(
    (part: Partial<Tab>) => {
      address({ query: part.queryId ?? null });
      return open(part);
    },
    [open, address],
  );
  const openSaved = useCallback(
    (saved: SavedQuery) => {
      openTab({
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
    [openTab],
  );
  const openQuery = useCallback(
    (query: Query) => {
      const held = tabs.find((t) => t.queryId === query.id);
      if (held) {
        select(held.id);
        address({ query: query.id });
      }
      else openTab({ sql: query.sql, engine: query.engine, catalog: query.catalog, schema: query.schema, queryId: query.id, parameters: asText(query.parameters) });
      setLibrary(false);
    },
    [tabs, openTab, select, address],
  );
  const choose = (id: string): void => {
    select(id);
    address({ query: tabs.find((t) => t.id === id)?.queryId ?? null });
  };
  const reopenTab = useCallback(
    (id?: string) => {
      const held = id === undefined ? closedRef.current[0] : closedRef.current.find((c) => c.tab.id === id);
      if (!held) return;
      reopen(id);
      address({ query: held.tab.queryId });
    },
    [reopen, address],
  );
  const closeTab = (id: string): void => {
    const tab = tabs.find((t) => t.id === id);
    if (!tab) return;
    close(id);
    if (id === active.id) {
      const rest = tabs.filter((t) => t !== tab);
      address({ query: rest[Math.min(tabs.indexOf(tab), rest.length - 1)]?.queryId ?? null });
    }
    if (tab.sql.trim()) toast("info", `Closed “${titleOf(tabs, tab)}”.`, { label: "Undo", run: () => reopenTab(id) });
  };
  useReopenKey(reopenTab);
  useAddress({
    parameters,
    setParameters,
    current: active.queryId,
    onSaved: openSaved,
    onQuery: openQuery,
    onTable: (name) => openTab({ name: name.split(".").at(-1) ?? "", sql: `SELECT *\nFROM ${name}\nLIMIT 100` }),
  });

  const names = useMemo(() => parameterNames(active.sql), [active.sql]);
  const input = (sql: string): NewQuery => ({
    sql,
    engine: engine.id,
    catalog,
    schema,
    parameters: Object.fromEntries(parameterNames(sql).map((name) => [name, parameterValue(active.parameters[name] ?? "")])),
    session: engine.dialect === "trino" ? active.session : undefined,
    row_limit: active.limit,
  });
  const run = (what: RunWhat, prefix = ""): void => {
    const chosen = handle.current?.chosen(what) ?? [];
    if (chosen.length === 0) {
      toast("info", "There is no statement to run.");
      return;
    }
    change(active.id, { from: chosen[0]?.start ?? 0 });
    start(chosen.map(({ sql }) => input(prefix && !/^\s*explain\b/i.test(sql) ? prefix + sql : sql)));
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
    const tab = openTab({ name: t, sql, catalog: c, schema: s, engine: engine.id });
    setTree(false);
    pending.current = { tab: tab.id, sql };
  };
  // A sample runs as soon as its tab is the active one, whose run `start` belongs to.
  const pending = useRef<{ tab: string; sql: string } | null>(null);
  useEffect(() => {
    if (pending.current?.tab !== active.id) return;
    const { sql } = pending.current;
    pending.current = null;
    start([{ sql, engine: engine.id, catalog, schema, row_limit: 100 }]);
  }, [active.id, start, engine.id, catalog, schema]);

  const setPlace = (p: string): void => change(active.id, { catalog: p.slice(0, p.indexOf(".")) || null, schema: p.slice(p.indexOf(".") + 1) || null });
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
  const failed = view?.query?.state === "failed" ? view.query : null;
  const mark = useMemo(() => {
    const fault = failed?.error;
    if (!failed || !fault?.line) return null;
    const offset = faultAt(active.sql, failed.sql, active.from, { line: fault.line, column: fault.column ?? 1 });
    return offset === null ? null : { message: fault.message, offset };
  }, [failed, active.sql, active.from]);
  const shown = parameters.get("view");

  return (
    <div className="sql-bench">
      <aside className="only-l sql-aside" style={{ width: treeWidth }} aria-label="Catalog">
        <Tree {...treeProps} />
      </aside>
      <div className="only-l sql-split">
        <Splitter label="Width of the catalog" axis="x" min={160} max={520} value={treeWidth} onChange={(v) => (setTreeWidth(v), setPreference("sql.tree", String(v)))} />
      </div>
      <section className="sql-work" aria-label="Query editor">
        <TabBar tabs={tabs} active={active.id} onSelect={choose} onClose={closeTab} onNew={() => openTab({ engine: active.engine, catalog: active.catalog, schema: active.schema })} onLibrary={() => setLibrary(true)} />
        <Away engines={engines} engine={engine} />
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
          onExplain={(kind) => run("statement", EXPLAIN[kind])}
          session={engine.dialect === "trino" ? Object.keys(active.session).length : null}
          onSession={() => setProperties(true)}
          onFormat={() => void format()}
          onSave={() => setSaving(true)}
          onLibrary={() => setLibrary(true)}
          onTree={() => setTree(true)}
          onEngine={(id) => change(active.id, { engine: id, catalog: null, schema: null })}
          onPlace={setPlace}
          onLimit={(limit) => change(active.id, { limit })}
          closed={closed[0]?.title ?? null}
          onReopen={() => reopenTab()}
          onParameter={(name, value) => change(active.id, { parameters: { ...active.parameters, [name]: value } })}
        />
        <div className="sql-editor" style={{ height: editorHeight }}>
          <EditorPane
            key={active.id}
            value={active.sql}
            scope={{ engine: engine.id, catalog, schema }}
            mark={mark}
            onChange={(sql) => change(active.id, { sql })}
            onRun={(what) => run(what)}
            onSave={() => setSaving(true)}
            onHandle={(h) => (handle.current = h)}
          />
        </div>
        <Splitter label="Height of the editor" axis="y" min={90} max={700} value={editorHeight} onChange={(v) => (setEditorHeight(v), setPreference("sql.editor", String(v)))} />
        <ResultPane
          key={`${active.id}${view?.startedAt ?? ""}`}
          view={view}
          shown={isResultTab(shown) ? shown : "grid"}
          onShow={(tab) => address({ view: tab === "grid" ? null : tab })}
          results={active.results}
          onResult={(id) => {
            show(id);
            change(active.id, { queryId: id });
            address({ query: id });
          }}
          markedLine={mark ? active.sql.slice(0, mark.offset).split("\n").length : null}
          engineTitle={(id) => engines.find((e) => e.id === id)?.title ?? id}
          onLibrary={() => setLibrary(true)}
        />
      </section>
      <Drawer opened={tree} onClose={() => setTree(false)} title="Catalog" size={300}>
        <Select label="Names without a schema are in" data={places} value={place || null} onChange={(p) => p && setPlace(p)} allowDeselect={false} />
        <Tree {...treeProps} />
      </Drawer>
      {library ? <LibraryDrawer onClose={() => setLibrary(false)} onSaved={openSaved} onQuery={openQuery} /> : null}
      {properties ? <SessionDrawer engine={engine.id} session={active.session} onChange={(session) => change(active.id, { session })} onClose={() => setProperties(false)} /> : null}
      <SaveModal opened={saving} tab={active} engine={engine.id} catalog={catalog} schema={schema} canShare={canShare} onClose={() => setSaving(false)} onSaved={(part) => change(active.id, part)} />
    </div>
  );
}
