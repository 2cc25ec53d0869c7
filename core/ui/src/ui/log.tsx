import { Button, TextInput } from "@mantine/core";
import { useEffect, useRef, useState, type ReactElement } from "react";
import { useEvents } from "./events";
import { plural, pluralOf } from "./format";
import { Icon } from "./icons";
import { Panel } from "./layout";
import { levelOf, plainLine } from "./log-lines";
import { usePreference, setPreference } from "./preferences";
import { Status } from "./status";
import { saveAs } from "./table";
import "./log.css";

const MOST = 5000;

type Shown = {
  title: string;
  lines: string[];
  /** How many came before those, and are no longer kept. */
  dropped?: number;
  /** Where the log stands: still written, ended, out of reach. */
  state: ReactElement;
};

/** A log that follows a stream: one event a line. */
export function LogView({ title, stream }: { title: string; stream: string }): ReactElement {
  const [lines, setLines] = useState<string[]>([]);
  const [dropped, setDropped] = useState(0);
  const state = useEvents(stream, {
    message: (data) => {
      const line = plainLine(typeof data === "string" ? data : JSON.stringify(data));
      if (lines.length >= MOST) setDropped((n) => n + 1);
      setLines((old) => [...old.slice(-(MOST - 1)), line]);
    },
  });
  const live = <Status state={state.live ? "running" : "unknown"} label={state.live ? "live" : "not connected"} />;
  return <LogLines title={title} lines={lines} dropped={dropped} state={live} />;
}

/** Lines of a log: searched, wrapped, saved, and held where the person scrolled to. */
export function LogLines({ title, lines, dropped = 0, state }: Shown): ReactElement {
  const [find, setFind] = useState("");
  const [follow, setFollow] = useState(true);
  const wrap = usePreference("log.wrap", "on") === "on";
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follow]);
  const wanted = find.toLowerCase();
  const shown = wanted ? lines.filter((line) => line.toLowerCase().includes(wanted)) : lines;
  return (
    <Panel
      title={title}
      badge={wanted ? pluralOf(shown.length, lines.length, "line") : plural(lines.length, "line")}
      actions={
        <>
          {state}
          <TextInput aria-label="Find in log" placeholder="Find" value={find} onChange={(e) => setFind(e.currentTarget.value)} />
          <Button aria-pressed={wrap} onClick={() => setPreference("log.wrap", wrap ? "off" : "on")}>
            {wrap ? "Do not wrap" : "Wrap"}
          </Button>
          <Button
            leftSection={<Icon name="download" />}
            disabled={lines.length === 0}
            onClick={() => saveAs(`${title}.log`, new Blob([lines.join("\n"), "\n"], { type: "text/plain;charset=utf-8" }))}
          >
            Download
          </Button>
        </>
      }
    >
      {dropped > 0 ? <p className="state-stale small">The first {dropped} lines are no longer here: the last {lines.length} are kept.</p> : null}
      <div
        ref={box}
        className="log"
        data-wrap={wrap || undefined}
        role="log"
        aria-label={title}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={(e) => {
          const at = e.currentTarget;
          setFollow(at.scrollHeight - at.scrollTop - at.clientHeight < 24);
        }}
      >
        {shown.length === 0 ? <p className="t3">{lines.length ? "No line matches." : "No lines yet."}</p> : null}
        {shown.map((line, i) => (
          <div key={i} data-level={levelOf(line)}>
            {line}
          </div>
        ))}
      </div>
      {follow || shown.length === 0 ? null : (
        <button type="button" className="log-follow small" onClick={() => setFollow(true)}>
          <Icon name="down" /> Follow
        </button>
      )}
    </Panel>
  );
}
