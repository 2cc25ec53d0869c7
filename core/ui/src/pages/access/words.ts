// Sentences and marks of the pages of access.
import { durationWords } from "../../ui/access-words";
import type { AccessRequest, Given, Origin, Preview, RoleHeld } from "./shapes";

/** A browser and its system out of a user agent, for telling one's own devices apart; what is unknown stays as it is. */
export function deviceOf(agent: string | null): string {
  if (!agent) return "unknown";
  const browser = [
    ["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["HeadlessChrome/", "Chrome"], ["Chrome/", "Chrome"], ["Safari/", "Safari"],
  ].find(([mark]) => agent.includes(mark ?? ""))?.[1];
  const system = [
    ["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["CrOS", "ChromeOS"], ["Linux", "Linux"],
  ].find(([mark]) => agent.includes(mark ?? ""))?.[1];
  if (!browser) return agent.slice(0, 60);
  return system ? `${browser} on ${system}` : browser;
}

const ORIGINS: Record<Origin, string> = {
  settings: "the settings",
  demo: "the demo",
  console: "the console",
  request: "a request",
  share: "a share",
};

export const originWords = (origin: Origin): string => ORIGINS[origin];

/** Why somebody holds a role: whom the binding names, and where it stands. */
export function whyHeld(held: RoleHeld, whom: string): string {
  const through = held.by === "group" ? `through the group ${held.group}` : `given to ${whom}`;
  return `${through}, by ${originWords(held.origin)}`;
}

/** The reason of a binding for people: that of a granted request without the request's number. */
export const reasonWords = (reason: string): string => reason.replace(/^request [0-9A-Za-z]+: /, "");

/** A permission with what it is for. */
export const givenWords = (given: Given): string => (given.resource ? `${given.permission} for ${given.resource}` : given.permission);

/** What a change does, in one sentence. */
export function previewWords(preview: Preview): string {
  if (preview.affected === 0) return "Nobody gains or loses anything now.";
  const gain = preview.effects.filter((e) => e.gains.length > 0).length;
  const lose = preview.effects.filter((e) => e.loses.length > 0).length;
  const who = preview.affected === 1 ? (preview.effects[0]?.name ?? "One person") : `${preview.affected} people`;
  const one = preview.affected === 1;
  if (gain && lose) return `${who} ${one ? "gains and loses" : "gain or lose"} permissions.`;
  return lose ? `${who} ${one ? "loses" : "lose"} permissions.` : `${who} ${one ? "gains" : "gain"} permissions.`;
}

/** "trino:query:run, for 8 hours". */
export const wishWords = (request: Pick<AccessRequest, "permission" | "resource" | "duration">): string =>
  `${givenWords(request)}, ${request.duration === null ? "for good" : `for ${durationWords(request.duration)}`}`;

/** The mark of a request's state. */
export const MARK_OF: Record<AccessRequest["state"], { state: string; label: string }> = {
  open: { state: "queued", label: "Open" },
  granted: { state: "success", label: "Granted" },
  refused: { state: "failed", label: "Refused" },
  withdrawn: { state: "cancelled", label: "Withdrawn" },
};

/** The end of a day, in the zone of who chose it, `days` from now; as the API wants it. */
export const inDays = (days: number, now: Date = new Date()): string => new Date(now.getTime() + days * 86_400_000).toISOString();

/** A date as a field of type date has it, `days` from now. */
export function dateField(days: number, now: Date = new Date()): string {
  const at = new Date(now.getTime() + days * 86_400_000);
  return [at.getFullYear(), String(at.getMonth() + 1).padStart(2, "0"), String(at.getDate()).padStart(2, "0")].join("-");
}

/** The last second of a chosen day, in the zone of who chose it; undefined where it is no day. */
export function endOfDay(date: string): string | undefined {
  const at = new Date(`${date}T23:59:59`);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

/** What is asked again after a binding was made, changed or removed. */
export const TOUCHED_BY_BINDINGS = ["/api/role-bindings", "/api/roles", "/api/access", "/api/users", "/api/groups", "/api/service-accounts"];

/** The permission to change who may do what. */
export const MANAGE = "core:access:manage";

/** For what somebody holds a permission: "for everything", "only for …"; no words where they do not. */
export function heldWords(given: Given[], permission: string): { words: string; everything: boolean } {
  const held = given.filter((g) => g.permission === permission);
  if (held.length === 0) return { words: "", everything: false };
  const everything = held.some((g) => g.resource === null);
  return { words: everything ? "for everything" : `only for ${held.map((g) => g.resource).join(" and ")}`, everything };
}

/** The page that says why somebody may, or may not. */
export const explainPath = (username: string, permission: string): string => `/admin/explain?${new URLSearchParams({ subject: username, permission })}`;
