import { TextInput } from "@mantine/core";
import { useEffect, useRef, useState, type ReactElement } from "react";
import { useEvents } from "./events";
import { Panel } from "./layout";
import { Status } from "./status";
import "./log.css";

const MOST = 5000;

/** A log that follows a stream: one event a line; searched, and held where the person scrolled to. */
export function LogView({ title, stream }: { title: string; stream: string }): ReactElement {
  const [lines, setLines] = useState<string[]>([]);
  const [find, setFind] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const state = useEvents(stream, {
    message: (data) => setLines((old) => [...old, typeof data === "string" ? data : JSON.stringify(data)].slice(-MOST)),
  });
  useEffect(() => {
    if (follow.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  const shown = find ? lines.filter((line) => line.toLowerCase().includes(find.toLowerCase())) : lines;
  return (
    <Panel
      title={title}
      badge={`${shown.length} lines`}
      actions={
        <>
          <Status state={state.live ? "running" : "unknown"} label={state.live ? "live" : "not connected"} />
          <TextInput aria-label="Find in log" placeholder="Find" value={find} onChange={(e) => setFind(e.currentTarget.value)} />
        </>
      }
    >
      <div
        ref={box}
        className="log"
        role="log"
        aria-label={title}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={(e) => {
          const at = e.currentTarget;
          follow.current = at.scrollHeight - at.scrollTop - at.clientHeight < 24;
        }}
      >
        {shown.length === 0 ? <p className="t3">No lines yet.</p> : shown.map((line, i) => <div key={i}>{line}</div>)}
      </div>
    </Panel>
  );
}
