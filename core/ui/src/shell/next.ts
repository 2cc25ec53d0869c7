/** Where to go after signing in: a path of this console and nothing else. */
export function safeNext(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return /^\/(?![/\\])/.test(next) && !/[\u0000-\u001f\\]/.test(next) && !/^\/(signin|auth\/(?!app\?))/.test(next) ? next : "/";
}

/** Whether an address is the server's and no page of the console: the way to an app, or an app below its path. */
export const leaves = (next: string): boolean => /^\/(auth\/app\?|apps\/)/.test(next);

/** The address at which a sign-in begins, and which leads back to `next`. */
export const loginAddress = (loginUrl: string, next: string): string =>
  `${loginUrl}?next=${encodeURIComponent(safeNext(`?next=${encodeURIComponent(next)}`))}`;
