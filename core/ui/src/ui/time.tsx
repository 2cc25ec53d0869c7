import { useEffect, useState, type ReactElement } from "react";
import { formatAgo, formatUtc } from "./format";
import { usePreference } from "./preferences";

/** A time: relative with the exact UTC on hover, or absolute where the person chose that. */
export function Time({ at }: { at: string | null | undefined }): ReactElement {
  const absolute = usePreference("times", "relative") === "absolute";
  const now = useNow(15_000);
  if (!at) return <span className="t3">never</span>;
  const moment = new Date(at);
  return (
    <time dateTime={at} title={formatUtc(moment)} className="nowrap">
      {absolute ? formatUtc(moment) : formatAgo(moment, now)}
    </time>
  );
}

/** The time, again every `every` milliseconds. */
export function useNow(every: number): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** Whether so many milliseconds are over since this was first drawn. */
export function useElapsed(milliseconds: number): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setOver(true), milliseconds);
    return () => clearTimeout(timer);
  }, [milliseconds]);
  return over;
}
