import type { ReactElement } from "react";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState } from "../ui/states";
import { Status, STATE_ORDER } from "../ui/status";
import { Table } from "../ui/table";
import { Time } from "../ui/time";
import { useComponents } from "./health";
import { Freshness, HealthPanel } from "./HealthPanel";

/** Every component: its state, why, what to do, since when, and when it was last looked at. */
export function Health(): ReactElement {
  const health = useComponents();
  const { components, stream } = health;
  return (
    <>
      <PageHeader
        title="Health"
        crumbs="Operate"
        subtitle="Checks run in the background; a change is here within seconds."
        actions={<Freshness stream={stream} />}
      />
      <HealthPanel health={health} />
      {components ? (
        <Panel title="All components" badge={components.length}>
          <Table
            label="Components"
            tools
            rows={components}
            rowKey={(c) => c.id}
            empty={<EmptyState title="No component is declared">Plugins declare what they watch.</EmptyState>}
            columns={[
              { id: "title", label: "Component", value: (c) => c.title, render: (c) => <><span className="b">{c.title}</span><br /><code className="t3">{c.id}</code></> },
              { id: "state", label: "State", value: (c) => STATE_ORDER.indexOf(c.state), render: (c) => <Status state={c.state} /> },
              {
                id: "cause",
                label: "Cause and remedy",
                value: (c) => c.cause,
                render: (c) => (
                  <>
                    {c.cause ?? Object.entries(c.details).map(([k, v]) => `${k} ${v}`).join(", ")}
                    {c.remedy ? <p className="t2 small">{c.remedy}</p> : null}
                  </>
                ),
              },
              { id: "since", wide: true, label: "Since", value: (c) => c.since, render: (c) => <Time at={c.since} /> },
              { id: "checked", wide: true, label: "Checked", value: (c) => c.checked_at, render: (c) => <Time at={c.checked_at} /> },
            ]}
          />
        </Panel>
      ) : null}
    </>
  );
}
