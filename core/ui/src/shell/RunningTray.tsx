import { Menu } from "@mantine/core";
import type { ReactElement } from "react";
import { Link } from "react-router";
import { formatDuration } from "../ui/format";
import { useRunning, type RunningThing } from "../ui/running";
import { Status } from "../ui/status";
import { useNow } from "../ui/time";

/** My running things, on every page, each with the way to it. */
export function RunningTray(): ReactElement | null {
  const things = useRunning();
  if (things.length === 0) return null;
  return (
    <Menu position="bottom-end" width={320} shadow="md" withinPortal={false}>
      <Menu.Target>
        <button type="button" className="tray">
          <Status state="running" label={`${things.length} running`} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {things.map((thing) => (
          <TrayLine key={thing.id} thing={thing} />
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function TrayLine({ thing }: { thing: RunningThing }): ReactElement {
  const now = useNow(1000);
  const seconds = Math.max(0, Math.round((now.getTime() - thing.since) / 1000));
  return (
    <Menu.Item component={Link} to={thing.path} rightSection={<span className="small t3">{formatDuration(seconds || 1)}</span>}>
      <code className="tray-title">{thing.title}</code>
    </Menu.Item>
  );
}
