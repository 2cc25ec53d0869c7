import type { ReactElement } from "react";
import { useApi } from "../ui/api";
import { PageHeader, Panel } from "../ui/layout";
import { Loaded } from "../ui/states";
import { SettingsTable } from "./Plugins";

type Setting = { key: string; value: unknown; source: string; description: string; secret: boolean };

/** Settings as they are in force, each with where it was set; secrets are masked. Plugins' own are on their page. */
export function Settings(): ReactElement {
  const query = useApi<{ items: Setting[] }>("/api/settings");
  return (
    <>
      <PageHeader title="Settings" crumbs="Admin" subtitle="As they are in force. They are changed in the configuration file or the environment, then the portal is restarted." />
      <Panel label="Settings">
        <Loaded query={query} rows={12}>
          {({ items }) => <SettingsTable settings={items} label="Settings" />}
        </Loaded>
      </Panel>
    </>
  );
}
