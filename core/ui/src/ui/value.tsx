import type { ReactElement, ReactNode } from "react";
import { Link } from "react-router";
import { formatBytes, formatDuration, formatNumber } from "./format";
import { safeHref } from "./markdown";
import { Status } from "./status";
import { Time } from "./time";

export type ValueKind = "text" | "number" | "bytes" | "duration" | "percent" | "time" | "status" | "code" | "link" | "delta" | "tag";

/** A value as its kind is drawn; NULL is unlike empty. */
export function Value({ value, kind = "text", unit }: { value: unknown; kind?: ValueKind; unit?: string }): ReactElement {
  if (value === null || value === undefined) return <em className="t3">NULL</em>;
  const number = typeof value === "number" ? value : Number(value);
  const withUnit = (text: string): ReactElement => (
    <span className="nowrap">
      {text}
      {unit ? ` ${unit}` : ""}
    </span>
  );
  switch (kind) {
    case "number":
      return withUnit(Number.isFinite(number) ? formatNumber(number) : String(value));
    case "bytes":
      return withUnit(formatBytes(number));
    case "duration":
      return withUnit(formatDuration(number));
    case "percent":
      return withUnit(`${formatNumber(number * 100, 1)} %`);
    case "delta":
      return <span className={number >= 0 ? "delta-up nowrap" : "delta-down nowrap"}>{`${number >= 0 ? "▲" : "▼"} ${formatNumber(Math.abs(number))}${unit ? ` ${unit}` : ""}`}</span>;
    case "time":
      return <Time at={String(value)} />;
    case "status":
      return <Status state={String(value)} />;
    case "code":
      return <code>{String(value)}</code>;
    case "tag":
      return <span className="tag">{String(value)}</span>;
    case "link": {
      const href = safeHref(String(value));
      return href ? <a href={href}>{String(value)}</a> : <>{String(value)}</>;
    }
    case "text":
      return typeof value === "number" ? withUnit(formatNumber(value)) : <>{typeof value === "object" ? JSON.stringify(value) : String(value)}{unit ? ` ${unit}` : ""}</>;
  }
}

export function LinkedValue({ path, name, value, children }: { path: string; name: string; value: unknown; children: ReactNode }): ReactElement {
  return <Link to={`${path}?${new URLSearchParams({ [name]: String(value) })}`}>{children}</Link>;
}
