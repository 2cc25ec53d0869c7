import { Menu } from "@mantine/core";
import type { ReactElement } from "react";
import { Link } from "react-router";
import { Icon } from "../ui/icons";
import { setPreference, usePreference } from "../ui/preferences";
import { usePortal, useSession } from "../ui/session";
import { toast } from "../ui/toast";
import { Mark } from "./Mark";
import { RunningTray } from "./RunningTray";
import { signOut } from "./sign-out";
import { useWaiting } from "./waiting";

const MODIFIER = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";

type Props = { onPalette: () => void; onMenu: () => void; onHelp: () => void };

export function TopBar({ onPalette, onMenu, onHelp }: Props): ReactElement {
  const { boot } = usePortal();
  return (
    <div className="topbar" role="region" aria-label="Portal">
      <Link to="/" className="brand only-l">
        <Mark />
        <span className="rail-label">OpenLakes</span>
      </Link>
      <div className="bar">
        <span className="env-edge only-s" data-colour={boot.site.environment.color} title={boot.site.environment.name} />
        <button type="button" className="icon-button only-s" aria-label="Open navigation" onClick={onMenu}>
          <Icon name="menu" />
        </button>
        <span className="env only-l">
          <span className="env-band" data-colour={boot.site.environment.color} />
          <span className="env-name">{boot.site.environment.name}</span>
          {boot.site.demo ? <span className="tag demo-tag" title="Personas sign in without a password; loopback only">demo mode</span> : null}
        </span>
        <button type="button" className="jump" onClick={onPalette} aria-keyshortcuts="Control+K Meta+K">
          <Icon name="search" />
          <span className="grow">Search or jump to</span>
          <kbd className="only-l">{MODIFIER} K</kbd>
        </button>
        <div className="bar-end">
          <RunningTray />
          <UserMenu onHelp={onHelp} />
        </div>
      </div>
    </div>
  );
}

function UserMenu({ onHelp }: { onHelp: () => void }): ReactElement {
  const session = useSession();
  const { boot, reload } = usePortal();
  const theme = usePreference("theme", "system");
  const times = usePreference("times", "relative");
  const waiting = useWaiting();
  const initials = session.name
    .split(/\s+/)
    .map((word) => word[0] ?? "")
    .slice(0, 2)
    .join("")
    .toUpperCase();
  const leave = async (): Promise<void> => {
    try {
      await signOut();
    } catch (error) {
      toast("bad", error instanceof Error ? error.message : "Signing out failed");
      await reload();
    }
  };
  return (
    <Menu position="bottom-end" width={250} shadow="md" withinPortal={false}>
      <Menu.Target>
        <button type="button" className="avatar" aria-label={`${initials}, account of ${session.name}`}>
          {initials}
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <div className="panel-body">
          <p className="b">{session.name}</p>
          <p className="small t2">{session.username}</p>
          <p className="row wrap role-tags">
            {session.roles.map((role) => (
              <span key={role} className="tag">
                {role}
              </span>
            ))}
            {session.roles.length === 0 ? <span className="small t3">no role</span> : null}
          </p>
          {boot.site.demo ? <p className="small t3">Demo mode, version {boot.site.version}</p> : null}
        </div>
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="user" />} component={Link} to="/account">
          My account
        </Menu.Item>
        {waiting > 0 ? (
          <Menu.Item leftSection={<Icon name="inbox" />} component={Link} to="/admin/requests" rightSection={<span className="tag">{waiting}</span>}>
            Requests to decide
          </Menu.Item>
        ) : null}
        <Menu.Divider />
        <Menu.Label>Theme</Menu.Label>
        <Menu.RadioGroup value={theme} onChange={(name) => setPreference("theme", name)}>
          {["system", "light", "dark"].map((name) => (
            <Menu.RadioItem key={name} value={name} closeMenuOnClick={false}>
              {name.charAt(0).toUpperCase() + name.slice(1)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Item
          leftSection={<Icon name="clock" />}
          onClick={() => setPreference("times", times === "absolute" ? "relative" : "absolute")}
        >
          {times === "absolute" ? "Show relative times" : "Show absolute times (UTC)"}
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="menu" />} onClick={onHelp} rightSection={<kbd>?</kbd>}>
          Keyboard shortcuts
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="exit" />} onClick={() => void leave()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
