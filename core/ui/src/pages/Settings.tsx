import type { ReactElement } from "react";
import { useApi } from "../ui/api";
import { PageHeader } from "../ui/layout";
import { Loaded } from "../ui/states";
import { SettingsBySection, type Setting } from "./SettingsTable";

/** Settings as they are in force, each with where it was set; secrets are masked. Plugins' own are on their page. */
export function Settings(): ReactElement {
  const query = useApi<{ items: Setting[] }>("/api/settings");
  return (
    <>
      <PageHeader
        title="Settings"
        crumbs="Admin"
        subtitle="As they are in force. They are changed in the configuration file or the environment, then the portal is restarted."
      />
      <Loaded query={query} rows={12} framed>
        {({ items }) => <SettingsBySection settings={items} />}
      </Loaded>
    </>
  );
}
