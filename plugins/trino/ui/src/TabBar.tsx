import { Button, Icon } from "@openlakes/ui";
import type { ReactElement } from "react";
import { titleOf } from "./tab-store";
import { runOf, type Tab } from "./tabs";

type Props = {
  tabs: Tab[];
  active: string;
  onSelect: (id: string) => void;
  onClose: (id: string) => void;
  onNew: () => void;
  onLibrary: () => void;
};

/** The open queries; which are running is seen here too. */
export function TabBar({ tabs, active, onSelect, onClose, onNew, onLibrary }: Props): ReactElement {
  return (
    <div className="sql-tabs">
      <div className="sql-tablist" role="group" aria-label="Open queries">
        {tabs.map((tab) => (
          <div key={tab.id} className="sql-tab" data-active={tab.id === active || undefined}>
            <button type="button" className="sql-pick" aria-pressed={tab.id === active} onClick={() => onSelect(tab.id)}>
              {titleOf(tabs, tab)}
              {tab.savedSql !== null && tab.savedSql !== tab.sql ? <span title="Changed since it was saved"> •</span> : null}
              {runOf(tab.id)?.busy ? <span className="sql-running" aria-label="running" role="img" /> : null}
            </button>
            <button type="button" className="sql-close" aria-label={`Close ${titleOf(tabs, tab)}`} onClick={() => onClose(tab.id)}>
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
