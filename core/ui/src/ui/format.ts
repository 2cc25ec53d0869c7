// Values as people read them. Times: relative with the exact UTC beside it, or absolute everywhere by one switch.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export function formatNumber(value: number, digits = 2): string {
  return value.toLocaleString("en-GB", { maximumFractionDigits: digits });
}

export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (Math.abs(size) >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || Math.abs(size) >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** A count with its noun: "1 row", "336,776 rows"; `many` where the noun does not just take an s. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}

/** How many of how many: "0 of 1 row", "16 of 336,776 rows"; the noun follows the second. */
export function pluralOf(part: number, whole: number, one: string, many?: string): string {
  return `${formatNumber(part)} of ${plural(whole, one, many)}`;
}

/** A count in little room: 337 k. */
export function formatCount(count: number): string {
  if (count < 1000) return String(count);
  if (count < 1_000_000) return `${count < 10_000 ? (count / 1000).toFixed(1) : Math.round(count / 1000)} k`;
  return `${(count / 1_000_000).toFixed(1)} M`;
}

export function formatDuration(seconds: number): string {
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export function formatAgo(at: Date, now: Date = new Date()): string {
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000);
  if (Math.abs(seconds) < 5) return "now";
  const text =
    Math.abs(seconds) < 60
      ? `${Math.abs(seconds)} s`
      : Math.abs(seconds) < 3600
        ? `${Math.floor(Math.abs(seconds) / 60)} min`
        : Math.abs(seconds) < 86_400
          ? `${Math.floor(Math.abs(seconds) / 3600)} h`
          : `${Math.floor(Math.abs(seconds) / 86_400)} d`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

export function formatUtc(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function formatClock(at: Date): string {
  return `${at.toISOString().slice(11, 16)} UTC`;
}

/** A value at a dotted path; undefined where there is none. */
export function pick(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((at, key) => (typeof at === "object" && at !== null ? (at as Record<string, unknown>)[key] : undefined), value);
}
