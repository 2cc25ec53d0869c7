// Properties of the engine's session, kept with the tab: each of its runs has them.
import { Button, Drawer, EmptyState, Icon, Loaded, TextInput, useApi } from "@openlakes/ui";
import { useState, type ReactElement } from "react";
import { paths } from "./client";
import type { Page, SessionProperty } from "./types";

type Props = { engine: string; session: Record<string, string>; onChange: (session: Record<string, string>) => void; onClose: () => void };
const SHOWN = 150;

/** Those that were changed stand first; the rest is found by name or by what it does. */
export function sorted(items: SessionProperty[], session: Record<string, string>, find: string): SessionProperty[] {
  const wanted = find.trim().toLowerCase();
  const found = items.filter((p) => `${p.name} ${p.description}`.toLowerCase().includes(wanted));
  return [...found.filter((p) => p.name in session), ...found.filter((p) => !(p.name in session))];
}

export function SessionDrawer({ engine, session, onChange, onClose }: Props): ReactElement {
  const [find, setFind] = useState("");
  const properties = useApi<Page<SessionProperty>>(paths.sessionProperties(engine));
  const set = (name: string, value: string): void => {
    const rest = Object.fromEntries(Object.entries(session).filter(([known]) => known !== name));
    onChange(value === "" ? rest : { ...rest, [name]: value });
  };
  return (
    <Drawer opened onClose={onClose} position="right" size={480} title="Session properties">
      <p className="t2 small">They hold for each run of this tab, and are kept with it. An empty field leaves the value of the engine.</p>
      <div className="row wrap sql-session-tools">
        <TextInput aria-label="Find a property" placeholder="Find a property" leftSection={<Icon name="search" />} value={find} onChange={(e) => setFind(e.currentTarget.value)} data-autofocus />
        <Button variant="subtle" color="gray" disabled={Object.keys(session).length === 0} onClick={() => onChange({})}>
          Clear all
        </Button>
      </div>
      <Loaded query={properties} rows={8}>
        {({ items }) => {
          const found = sorted(items, session, find);
          if (found.length === 0) return <EmptyState title={items.length ? "No property matches" : "This engine has no session properties"} />;
          return (
            <ul className="sql-session">
              {found.slice(0, SHOWN).map((property) => (
                <li key={property.name} data-set={property.name in session || undefined}>
                  <TextInput
                    label={<code>{property.name}</code>}
                    description={property.description}
                    placeholder={property.value || "empty"}
                    value={session[property.name] ?? ""}
                    onChange={(e) => set(property.name, e.currentTarget.value)}
                    rightSectionWidth={72}
                    rightSection={<span className="small t3">{property.type}</span>}
                    spellCheck={false}
                    autoComplete="off"
                  />
                </li>
              ))}
              {found.length > SHOWN ? <li className="t3 small">{found.length - SHOWN} more: find them by name</li> : null}
            </ul>
          );
        }}
      </Loaded>
    </Drawer>
  );
}
