import type { ReactElement } from "react";
import { Link, useLocation } from "react-router";
import { Icon } from "../ui/icons";
import { usePortal, type NavItem } from "../ui/session";
import { placeOf } from "./place";
import { useWaiting } from "./waiting";

/** The journey: sections in the order that the server gives, only what this person may open. */
export function Rail({ collapsed, onToggle }: { collapsed: boolean; onToggle?: () => void }): ReactElement {
  const { boot } = usePortal();
  const here = placeOf(useLocation().pathname, boot.nav);
  const sections = [...new Set(boot.nav.map((item) => item.section))];
  return (
    <nav className="rail" aria-label="Main">
      {sections.map((section) => (
        <div key={section}>
          {section ? (
            <div className="rail-section" id={`nav-${section}`}>
              <span>{section}</span>
            </div>
          ) : null}
          <ul aria-labelledby={section ? `nav-${section}` : undefined}>
            {boot.nav
              .filter((item) => item.section === section)
              .map((item) => (
                <li key={item.id}>
                  <RailLink item={item} collapsed={collapsed} here={item === here} />
                </li>
              ))}
          </ul>
        </div>
      ))}
      {onToggle ? (
        <button type="button" className="rail-toggle" onClick={onToggle} aria-expanded={!collapsed}>
          <Icon name={collapsed ? "right" : "left"} />
          <span className="rail-label">{collapsed ? "Widen navigation" : "Collapse"}</span>
        </button>
      ) : null}
    </nav>
  );
}

/** Where the mark of open requests stands. */
const INBOX = "core.requests";

function RailLink({ item, collapsed, here }: { item: NavItem; collapsed: boolean; here: boolean }): ReactElement {
  return (
    <Link to={item.path} aria-current={here ? "page" : undefined} title={collapsed ? item.label : undefined}>
      <Icon name={item.icon} />
      <span className="rail-label">{item.label}</span>
      {item.id === INBOX ? <Waiting /> : null}
    </Link>
  );
}

function Waiting(): ReactElement | null {
  const count = useWaiting();
  if (count === 0) return null;
  return (
    <span className="rail-count">
      {count}
      <span className="visually-hidden"> open</span>
    </span>
  );
}
