// Dashboards and charts of Superset that the person may see: searched, filtered, opened with one click.
import { Button, EmptyState, Icon, Link, Loaded, pluralOf, SegmentedControl, Select, Switch, TextInput, Time, useApi, useSearchParams } from "@openlakes/ui";
import { useEffect, useState, type ReactElement } from "react";
import { inShell, listing, type Found, type Kind, type Thing, type Wanted } from "./client";
import { Picture } from "./Picture";
import "./superset.css";

const LIMIT = 24;

export function Gallery(): ReactElement {
  const [place, setPlace] = useSearchParams();
  const kind: Kind = place.get("kind") === "chart" ? "chart" : "dashboard";
  const wanted: Wanted = {
    search: place.get("search") ?? "",
    mine: place.get("mine") === "true",
    published: place.get("published") === "true",
    sort: place.get("sort") === "title" ? "title" : "changed",
    page: Math.max(0, Number.parseInt(place.get("page") ?? "0", 10) || 0),
    limit: LIMIT,
  };
  const set = (changes: Record<string, string | null>): void =>
    setPlace(
      (before) => {
        const next = new URLSearchParams(before);
        if (!("page" in changes)) next.delete("page");
        for (const [name, value] of Object.entries(changes)) {
          if (value) next.set(name, value);
          else next.delete(name);
        }
        return next;
      },
      { replace: true },
    );
  const found = useApi<Found>(listing(kind, wanted));
  return (
    <>
      <div className="bi-tools" role="search">
        <SegmentedControl
          aria-label="What to show"
          data={[
            { value: "dashboard", label: "Dashboards" },
            { value: "chart", label: "Charts" },
          ]}
          value={kind}
          onChange={(v) => set({ kind: v === "chart" ? "chart" : null })}
        />
        <Search key={kind} value={wanted.search} onChange={(text) => set({ search: text })} label={`Search ${kind}s`} />
        <Select
          aria-label="Order"
          data={[
            { value: "changed", label: "Changed last" },
            { value: "title", label: "By title" },
          ]}
          value={wanted.sort}
          onChange={(v) => set({ sort: v === "title" ? "title" : null })}
          allowDeselect={false}
        />
        <Switch label="Mine" checked={wanted.mine} onChange={(e) => set({ mine: e.currentTarget.checked ? "true" : null })} />
        {kind === "dashboard" ? <Switch label="Published" checked={wanted.published} onChange={(e) => set({ published: e.currentTarget.checked ? "true" : null })} /> : null}
        <span className="grow" />
        <Button component={Link} to={inShell("/superset/welcome/")} leftSection={<Icon name="app" />}>
          Open Superset
        </Button>
      </div>
      <Loaded query={found}>{(data) => <Cards data={data} kind={kind} wanted={wanted} onPage={(page) => set({ page: page ? String(page) : null })} />}</Loaded>
    </>
  );
}

/** Asks when the typing pauses; the address has what was asked. */
function Search({ value, onChange, label }: { value: string; onChange: (text: string) => void; label: string }): ReactElement {
  const [text, setText] = useState(value);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => onChange(text), 250);
    return () => clearTimeout(timer);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only what is typed starts the wait
  }, [text]);
  return <TextInput className="bi-search" aria-label={label} placeholder={label} leftSection={<Icon name="search" />} value={text} onChange={(e) => setText(e.currentTarget.value)} />;
}

type CardsProps = { data: Found; kind: Kind; wanted: Wanted; onPage: (page: number) => void };

function Cards({ data, kind, wanted, onPage }: CardsProps): ReactElement {
  if (!data.items.length) {
    const narrowed = wanted.search !== "" || wanted.mine || wanted.published || wanted.page > 0;
    return (
      <EmptyState title={narrowed ? `No ${kind} fits` : `There is no ${kind} that you may see yet`} action={<Link to={inShell(kind === "chart" ? "/chart/add" : "/dashboard/list/")}>Go to Superset</Link>}>
        {narrowed ? "Search for less, or take a filter away." : "Somebody who owns one can share it with you; or make your own in Superset."}
      </EmptyState>
    );
  }
  const last = Math.max(0, Math.ceil(data.total / LIMIT) - 1);
  return (
    <>
      <p className="small t2" role="status">
        {data.total > data.items.length ? pluralOf(data.items.length, data.total, kind) : `${data.total} ${data.total === 1 ? kind : `${kind}s`}`}
      </p>
      <ul className="bi-cards">
        {data.items.map((thing) => (
          <li key={thing.id}>
            <Card thing={thing} />
          </li>
        ))}
      </ul>
      {last > 0 ? (
        <nav className="row" aria-label="Pages">
          <Button disabled={wanted.page === 0} onClick={() => onPage(wanted.page - 1)} leftSection={<Icon name="left" />}>
            Before
          </Button>
          <span className="small t2">
            Page {wanted.page + 1} of {last + 1}
          </span>
          <Button disabled={wanted.page >= last} onClick={() => onPage(wanted.page + 1)} rightSection={<Icon name="right" />}>
            Next
          </Button>
        </nav>
      ) : null}
    </>
  );
}

function Card({ thing }: { thing: Thing }): ReactElement {
  const facts = [thing.dataset, thing.owners.join(", ") || null].filter(Boolean).join(" · ");
  return (
    <article className="bi-card">
      <Link to={`/x/superset/${thing.kind}?id=${thing.id}`} className="bi-open">
        <Picture thing={thing} />
        <span className="bi-title">{thing.title}</span>
      </Link>
      <p className="small t2 bi-facts">{facts || "Nobody owns it"}</p>
      <p className="small t2 row">
        {thing.changed_at ? <Time at={thing.changed_at} /> : "never changed"}
        {thing.kind === "dashboard" && !thing.is_published ? <span className="tag">Draft</span> : null}
        {thing.certified_by ? <span className="tag">Certified</span> : null}
      </p>
    </article>
  );
}
