/** Where to go after signing in: a path of this console and nothing else. */
export function safeNext(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return /^\/(?![/\\])/.test(next) && !/[\u0000-\u001f\\]/.test(next) && !next.startsWith("/signin") ? next : "/";
}
