// Access in words: durations, rules, who can grant. The same sentences at every refusal and on every page of access.
import type { Grantor } from "./api";

export const HOUR = 3600;
export const DAY = 86_400;

/** How long access can be asked for and given; "" is for good. */
export const DURATIONS: { value: string; label: string }[] = [
  { value: String(HOUR), label: "1 hour" },
  { value: String(8 * HOUR), label: "8 hours" },
  { value: String(7 * DAY), label: "7 days" },
  { value: "", label: "For good" },
];

export const secondsOf = (duration: string): number | null => (duration === "" ? null : Number(duration));

/** Seconds as they are spoken of: "8 hours", "90 minutes"; null is "for good". */
export function durationWords(seconds: number | null): string {
  if (seconds === null) return "for good";
  const [size, word] = seconds % DAY === 0 ? [DAY, "day"] : seconds % HOUR === 0 ? [HOUR, "hour"] : [60, "minute"];
  const count = Math.round(seconds / size);
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Whether a binding would change a refusal: it does not where an account, a token or a plugin's own rule said no. */
export const canBeGranted = (decidedBy: string | null | undefined): boolean => decidedBy === undefined || decidedBy === null || decidedBy === "default";

/** Which rule decided, as the subject of a sentence. */
export function ruleWords(decidedBy: string): string {
  const [kind, ...rest] = decidedBy.split(" ");
  const name = rest.join(" ");
  if (decidedBy === "default") return "the default: what nothing gives is refused";
  if (kind === "binding" && name) return `the binding ${name}`;
  if (kind === "decider" && name) return `the rule ${name} of a plugin`;
  if (kind === "plugin" && name) return `a rule of the plugin ${name}`;
  if (decidedBy === "account") return "the account: it is disabled";
  if (decidedBy === "token") return "the API token: it does not hold it";
  if (decidedBy === "resource") return "the resource: it cannot be read";
  return decidedBy;
}

/** Who can grant, in one line: at most five by name. */
export function grantorWords(grantors: Grantor[]): string {
  const names = grantors.map((g) => {
    if (g.kind === "group") return `everybody in ${g.name}`;
    if (g.kind === "owner") return g.name === "its owner" ? g.name : `its owner ${g.name}`;
    return g.username && g.username !== g.name ? `${g.name} (${g.username})` : g.name;
  });
  const shown = names.slice(0, 5);
  if (names.length > 5) shown.push(`${names.length - 5} more`);
  if (shown.length < 2) return shown[0] ?? "";
  return `${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
}
