// The frame: rail, bar, the page, and what floats above them.
import { Drawer } from "@mantine/core";
import { useEffect, useState, type ReactElement } from "react";
import { useLocation, useNavigate } from "react-router";
import { usePreference, setPreference } from "../ui/preferences";
import { usePortal, type PluginInfo } from "../ui/session";
import { SlotDrawer } from "../ui/slot";
import { Ending } from "./Ending";
import { useKeys } from "./keys";
import { Mark } from "./Mark";
import { FromModule } from "./modules";
import { Palette } from "./Palette";
import { goTo } from "./place";
import { Rail } from "./Rail";
import { Pages } from "./routes";
import { Shortcuts } from "./Shortcuts";
import { TopBar } from "./TopBar";
import "./shell.css";

const fromModule = (plugin: PluginInfo, name: string): ReactElement => <FromModule plugin={plugin} kind="slots" name={name} />;

export function Shell(): ReactElement {
  const { boot } = usePortal();
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [drawer, setDrawer] = useState(false);
  const collapsed = usePreference("rail", "open") === "closed";
  const navigate = useNavigate();
  const { pathname } = useLocation();
  useEffect(() => setDrawer(false), [pathname]);
  useKeys({
    palette: () => setPalette((open) => !open),
    help: () => setHelp(true),
    go: (letter) => {
      const target = goTo(letter, boot.nav);
      if (target) void navigate(target);
    },
  });
  return (
    <div className="shell" data-collapsed={collapsed || undefined}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <TopBar onPalette={() => setPalette(true)} onMenu={() => setDrawer(true)} onHelp={() => setHelp(true)} />
      <div className="rail-holder only-l">
        <Rail collapsed={collapsed} onToggle={() => setPreference("rail", collapsed ? "open" : "closed")} />
      </div>
      <Drawer opened={drawer} onClose={() => setDrawer(false)} size={260} title={<span className="drawer-brand"><Mark /> OpenLakes</span>} padding="sm">
        <Rail collapsed={false} />
      </Drawer>
      <main id="main" tabIndex={-1}>
        <Ending />
        <SlotDrawer.Provider value={fromModule}>
          <Pages />
        </SlotDrawer.Provider>
      </main>
      {palette ? <Palette onClose={() => setPalette(false)} /> : null}
      {help ? <Shortcuts onClose={() => setHelp(false)} /> : null}
    </div>
  );
}
