// The icon set: 16 px, one stroke. Plugins name an icon; an unknown name is a dot.
import type { ReactElement } from "react";

const PATHS: Record<string, string> = {
  home: "M2.5 7 8 2.5 13.5 7v6.5h-4v-4h-3v4h-4z",
  search: "M11 11l3 3M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9z",
  ingest: "M8 2v8m0 0L5 7m3 3 3-3M3 13.5h10",
  pipeline: "M5.3 8H8m0 0V3.5h2.7M8 8v4.5h2.7M3.5 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6zM12.5 5.3a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6zM12.5 14.3a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z",
  sql: "m2.5 4 4 4-4 4M8 12.5h5.5",
  terminal: "m2.5 4 4 4-4 4M8 12.5h5.5",
  model: "M2.5 5 8 2l5.5 3v6L8 14l-5.5-3zM2.5 5 8 8l5.5-3M8 8v6",
  database: "M3 3.8v8.4c0 1 2.2 1.8 5 1.8s5-.8 5-1.8V3.8M3 8c0 1 2.2 1.8 5 1.8S13 9 13 8M8 5.6c2.8 0 5-.8 5-1.8S10.8 2 8 2s-5 .8-5 1.8 2.2 1.8 5 1.8z",
  table: "M2.5 3h11v10h-11zM2.5 6.5h11M6.5 6.5V13",
  chart: "M2.5 13.5v-11M2.5 13.5h11M5.5 11V8M8.5 11V5M11.5 11V7",
  logs: "M3 3.5h10M3 6.5h10M3 9.5h6M3 12.5h8",
  health: "M8 2 3 4v4c0 3 2 5 5 6 3-1 5-3 5-6V4z",
  key: "M7.5 8.5 13 3m-2 2 1.5 1.5M5 13.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  plug: "M6 2.5v3m4-3v3M4 5.5h8v2a4 4 0 0 1-8 0zM8 11.5v2",
  settings: "M2.5 4.5h7m3 0h1M2.5 11.5h1m3 0h7M11 6a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM5 13a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
  audit: "M4 2.5h8v11H4zM6 5.5h4M6 8h4M6 10.5h2",
  app: "M9 3h4v4M13 3 7.5 8.5M11 9.5V13H3V5h3.5",
  play: "M5 3.5v9l7-4.5z",
  stop: "M4.5 4.5h7v7h-7z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
  down: "m4.5 6.5 3.5 3.5 3.5-3.5",
  right: "m6.5 4.5 3.5 3.5-3.5 3.5",
  left: "M9.5 4.5 6 8l3.5 3.5",
  close: "m4 4 8 8m0-8-8 8",
  plus: "M8 3v10M3 8h10",
  check: "m3 8.5 3.5 3.5L13 4.5",
  copy: "M5.5 5.5h8v8h-8zM5.5 10.5h-3v-8h8v3",
  download: "M8 2v8m0 0L5 7m3 3 3-3M3 13.5h10",
  upload: "M8 10V2m0 0L5 5m3-3 3 3M3 13.5h10",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5M13 2.5v3h-3",
  history: "M3 8a5 5 0 1 0 1.5-3.5M3 2.5v3h3M8 5.5V8l2 1.5",
  star: "m8 2 1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z",
  user: "M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 13.5c.5-2.5 2.5-4 5-4s4.5 1.5 5 4",
  users: "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.5 13c.4-2.4 2.2-3.7 4.5-3.7s4.1 1.3 4.5 3.7M10.5 3a2.3 2.3 0 0 1 0 4.4M12 9.6c1.4.5 2.3 1.6 2.5 3.4",
  inbox: "M2.5 9 4 3h8l1.5 6v4h-11zM2.5 9h3.2c0 1.3 1 2.2 2.3 2.2S10.3 10.3 10.3 9h3.2",
  link: "M6.5 9.5 9.5 6.5M7 4.5 8.8 2.7a2.6 2.6 0 0 1 3.7 3.7L10.7 8.2M9 11.5 7.2 13.3a2.6 2.6 0 0 1-3.7-3.7L5.3 7.8",
  help: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM6.3 6.4a1.7 1.7 0 1 1 2.5 1.5c-.5.3-.8.6-.8 1.2M8 11v.1",
  sun: "M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 2v1.5m0 9V14M2 8h1.5m9 0H14M3.8 3.8l1 1m6.4 6.4 1 1m0-8.4-1 1m-6.4 6.4-1 1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
  clock: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM8 5v3l2 1.5",
  exit: "M6.5 3h-4v10h4M10 5l3 3-3 3M13 8H6",
  warn: "M8 2.5 14 13H2zM8 6.5v3M8 11.2v.1",
  info: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM8 7.2v3.6M8 5.2v.1",
  share: "M8 10V2.5m0 0L5.5 5M8 2.5 10.5 5M4 8H3v5.5h10V8h-1",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9",
  edit: "M3 13l.5-3 7-7 2.5 2.5-7 7z",
  filter: "M2.5 3.5h11L9.5 8.5v4l-3 1v-5z",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  dot: "M8 9.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
};

export function Icon({ name, className }: { name: string; className?: string }): ReactElement {
  return (
    <svg className={className ? `ico ${className}` : "ico"} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name] ?? PATHS["dot"]} />
    </svg>
  );
}

/** Names that `icon` may have. */
export const ICONS: string[] = Object.keys(PATHS);
