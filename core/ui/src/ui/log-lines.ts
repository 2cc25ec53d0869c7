// Lines of a log as they are shown: escape sequences taken off, the level told apart.

// oxlint-disable-next-line no-control-regex -- escape sequences begin with a control character
const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;

export const plainLine = (line: string): string => line.replaceAll(ESCAPES, "").replaceAll("\r", "");

export type Level = "bad" | "warn" | "quiet" | "plain";

/** By the level's word, as loggers write it: in capitals, or after `level=`. */
export function levelOf(line: string): Level {
  const head = line.slice(0, 200);
  if (/\b(?:ERROR|FATAL|CRITICAL)\b|level="?(?:error|fatal|critical)|^Traceback /.test(head)) return "bad";
  if (/\b(?:WARN|WARNING)\b|level="?warn/.test(head)) return "warn";
  if (/\b(?:DEBUG|TRACE)\b|level="?(?:debug|trace)/.test(head)) return "quiet";
  return "plain";
}
