// The command palette: pages, actions, and what plugins find; filtered by the server to what this person may see.
import { Modal, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useId, useMemo, useState, type KeyboardEvent, type ReactElement } from "react";
import { useNavigate } from "react-router";
import { ActionDialog, type ActionInfo } from "../ui/actions";
import { useApi } from "../ui/api";
import { Icon } from "../ui/icons";
import { useReturnFocus } from "../ui/return-focus";
import { usePortal } from "../ui/session";

type Hit = { id: string; kind: string; title: string; subtitle: string | null; path: string; icon: string; plugin: string };
type Answer = { items: Hit[]; partial: { plugin: string; reason: string }[] };
type Entry = { id: string; group: string; title: string; subtitle: string | null; icon: string; open: () => void };

const KINDS: Record<string, { group: string; icon: string }> = {
  page: { group: "Pages", icon: "dot" },
  table: { group: "Tables", icon: "table" },
  dataset: { group: "Datasets", icon: "database" },
  query: { group: "Queries", icon: "sql" },
  "saved query": { group: "Saved queries", icon: "sql" },
  pipeline: { group: "Pipelines", icon: "pipeline" },
  "earlier query": { group: "Earlier queries", icon: "history" },
  run: { group: "Runs", icon: "history" },
};
const groupOf = (kind: string): string => KINDS[kind.toLowerCase()]?.group ?? kind;
const iconOf = (hit: Hit): string => (hit.icon === "dot" ? (KINDS[hit.kind.toLowerCase()]?.icon ?? "dot") : hit.icon);

export function Palette({ onClose }: { onClose: () => void }): ReactElement {
  useReturnFocus();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [action, setAction] = useState<ActionInfo | null>(null);
  const [wanted] = useDebouncedValue(text.trim(), 120);
  const listId = useId();
  const navigate = useNavigate();
  const { boot } = usePortal();
  const found = useApi<Answer>(wanted ? `/api/search?q=${encodeURIComponent(wanted)}` : null);
  const actions = useApi<{ items: ActionInfo[] }>("/api/actions");

  const entries = useMemo<Entry[]>(() => {
    const go = (path: string) => () => {
      onClose();
      void navigate(path);
    };
    const words = wanted.toLowerCase();
    const nav = [...boot.nav, { id: "core.account", section: "", label: "My account", icon: "user", path: "/account" }];
    const pages: Entry[] = wanted
      ? []
      : nav.map((n) => ({ id: n.id, group: "Pages", title: n.label, subtitle: n.section || null, icon: n.icon, open: go(n.path) }));
    const hits: Entry[] = (found.data?.items ?? []).map((h) => ({
      id: h.id,
      group: groupOf(h.kind),
      title: h.title,
      subtitle: h.subtitle,
      icon: iconOf(h),
      open: go(h.path),
    }));
    const doable: Entry[] = (actions.data?.items ?? [])
      .filter((a) => `${a.title} ${a.description}`.toLowerCase().includes(words))
      .map((a) => ({ id: `action.${a.id}`, group: "Actions", title: a.title, subtitle: a.description, icon: a.icon, open: () => setAction(a) }));
    const all = [...pages, ...hits, ...doable];
    const order = [...new Set(all.map((e) => e.group))];
    return order.flatMap((group) => all.filter((e) => e.group === group));
  }, [boot.nav, found.data, actions.data, wanted, navigate, onClose]);

  const selected = Math.min(at, Math.max(0, entries.length - 1));
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = (selected + (event.key === "ArrowDown" ? 1 : -1) + entries.length) % Math.max(1, entries.length);
      setAt(next);
      document.getElementById(`${listId}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      entries[selected]?.open();
    }
  };
  if (action) return <ActionDialog action={action} onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} withCloseButton={false} size="lg" yOffset="10vh" centered={false} attributes={{ content: { "aria-label": "Search or jump to" } }}>
      <TextInput
        data-autofocus
        size="sm"
        aria-label="Search or jump to"
        placeholder="Search or jump to"
        leftSection={<Icon name="search" />}
        role="combobox"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={entries.length ? `${listId}-${selected}` : undefined}
        value={text}
        onChange={(e) => {
          setText(e.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={keys}
      />
      <div className="palette-list" role="listbox" id={listId} aria-label="Results">
        {entries.map((entry, i) => (
          <div key={`${entry.group} ${entry.id}`} role="presentation">
            {entries[i - 1]?.group === entry.group ? null : (
              <div className="palette-group" role="presentation">
                {entry.group}
              </div>
            )}
            {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the input has the focus and the keys */}
            <div
              id={`${listId}-${i}`}
              role="option"
              aria-selected={i === selected}
              className="palette-item"
              onMouseMove={() => setAt(i)}
              onClick={entry.open}
            >
              <Icon name={entry.icon} />
              <span className="nowrap">{entry.title}</span>
              <span className="t3 small grow">{entry.subtitle}</span>
            </div>
          </div>
        ))}
      </div>
      {entries.length === 0 && !found.isFetching ? <p className="t2 panel-body">Nothing found for “{wanted}”.</p> : null}
      {(found.data?.partial ?? []).map((p) => (
        <p key={p.plugin + p.reason} className="small warn panel-body" role="status">
          {p.plugin} is not in these results: {p.reason}
        </p>
      ))}
    </Modal>
  );
}
