// Saved queries and history, beside the editor.
import { ActionIcon, Button, Drawer, EmptyState, Icon, Loaded, Status, Tabs, TextInput, Time, toast, useApi, useApiMutation } from "@openlakes/ui";
import { useState, type ReactElement } from "react";
import { deleteSaved, paths } from "./client";
import { previewOf } from "./statements";
import { BASE, outcome, type Page, type Query, type SavedQuery } from "./types";

type Props = { onClose: () => void; onSaved: (saved: SavedQuery) => void; onQuery: (query: Query) => void };

export function LibraryDrawer({ onClose, onSaved, onQuery }: Props): ReactElement {
  const [text, setText] = useState("");
  return (
    <Drawer opened onClose={onClose} position="right" size={440} title="Queries">
      <TextInput aria-label="Find a query" placeholder="Find a query" leftSection={<Icon name="search" />} value={text} onChange={(e) => setText(e.currentTarget.value)} data-autofocus />
      <Tabs defaultValue="saved" mt="xs">
        <Tabs.List>
          <Tabs.Tab value="saved">Saved</Tabs.Tab>
          <Tabs.Tab value="history">History</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="saved">
          <Saved text={text} onSaved={onSaved} />
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <History key={text.trim()} text={text.trim()} cursor={null} onQuery={onQuery} />
        </Tabs.Panel>
      </Tabs>
    </Drawer>
  );
}

function Saved({ text, onSaved }: { text: string; onSaved: Props["onSaved"] }): ReactElement {
  const saved = useApi<Page<SavedQuery>>(paths.saved);
  const remove = useApiMutation((id: string) => deleteSaved(id), [`${BASE}/saved-queries`]);
  const wanted = text.trim().toLowerCase();
  return (
    <Loaded query={saved} rows={6}>
      {({ items }) => {
        const shown = items.filter((s) => `${s.name} ${s.description} ${s.sql}`.toLowerCase().includes(wanted));
        if (shown.length === 0) return <EmptyState title={items.length ? "No saved query matches" : "Nothing is saved yet"}>Save a query with Ctrl S to find it here again.</EmptyState>;
        return (
          <ul className="sql-library">
            {shown.map((s) => (
              <li key={s.id}>
                <button type="button" onClick={() => onSaved(s)}>
                  <span className="b">{s.name}</span>
                  <span className="small t3">{s.origin === "site" ? "from this site" : s.origin === "shared" ? `shared by ${s.owner}` : s.shared ? "shared by you" : "yours"}</span>
                  {s.description ? <span className="t2 small">{s.description}</span> : null}
                  <code>{previewOf(s.sql)}</code>
                </button>
                {s.origin === "own" ? (
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    aria-label={`Delete ${s.name}`}
                    loading={remove.isPending && remove.variables === s.id}
                    onClick={() => remove.mutate(s.id, { onSuccess: () => toast("ok", `“${s.name}” is deleted.`), onError: (e) => toast("bad", e.message) })}
                  >
                    <Icon name="trash" />
                  </ActionIcon>
                ) : null}
              </li>
            ))}
          </ul>
        );
      }}
    </Loaded>
  );
}

/** One page of the history, and below it, once asked for, the next. */
function History({ text, cursor, onQuery }: { text: string; cursor: string | null; onQuery: Props["onQuery"] }): ReactElement {
  const history = useApi<Page<Query>>(paths.history(text, cursor), { refresh: cursor === null ? 5 : null });
  const [more, setMore] = useState(false);
  return (
    <Loaded query={history} rows={6}>
      {({ items, next_cursor }) => (
        <>
          {items.length === 0 ? <NoneHere searched={text !== ""} first={cursor === null} last={next_cursor === null} /> : null}
          <ul className="sql-library" hidden={items.length === 0}>
            {items.map((q) => (
              <li key={q.id}>
                <button type="button" onClick={() => onQuery(q)}>
                  <span className="row">
                    <Status state={q.state} />
                    <span className="small t3">
                      <Time at={q.created_at} />
                    </span>
                    {q.state === "finished" ? <span className="small t3">{outcome(q)}</span> : null}
                  </span>
                  <code>{previewOf(q.sql)}</code>
                </button>
              </li>
            ))}
          </ul>
          {next_cursor === null ? null : more ? (
            <History text={text} cursor={next_cursor} onQuery={onQuery} />
          ) : (
            <Button fullWidth variant="subtle" onClick={() => setMore(true)}>
              {text ? "Look further back" : "Older queries"}
            </Button>
          )}
        </>
      )}
    </Loaded>
  );
}

/** A page may hold nothing and not be the last: the search looks through a part of the history for each. */
function NoneHere({ searched, first, last }: { searched: boolean; first: boolean; last: boolean }): ReactElement {
  if (first && last) return <EmptyState title={searched ? "No query of yours matches" : "You ran no query yet"} />;
  return <p className="small t3">{last ? "No older query matches." : "None of the newer queries matches."}</p>;
}

export function SaveDialogBody({ name, shared, onSave, busy, canShare }: {
  name: string;
  shared: boolean;
  busy: boolean;
  canShare: boolean;
  onSave: (name: string, shared: boolean) => void;
}): ReactElement {
  const [title, setTitle] = useState(name);
  const [share, setShare] = useState(shared);
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (title.trim()) onSave(title.trim(), share);
      }}
    >
      <TextInput label="Name" required value={title} maxLength={200} onChange={(e) => setTitle(e.currentTarget.value)} data-autofocus />
      {canShare ? (
        <label className="row">
          <input type="checkbox" checked={share} onChange={(e) => setShare(e.currentTarget.checked)} /> Share with everybody who may run SQL
        </label>
      ) : null}
      <div className="row">
        <span className="grow" />
        <Button type="submit" variant="filled" loading={busy} disabled={!title.trim()}>
          Save query
        </Button>
      </div>
    </form>
  );
}
