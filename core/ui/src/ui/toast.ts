import { notifications } from "@mantine/notifications";

const TITLES = { ok: "Done", bad: "Not done", info: "Note" };

/** Tell the result of what the person just did; nothing else is a toast. */
export function toast(tone: "ok" | "bad" | "info", message: string): void {
  notifications.show({ title: TITLES[tone], message, className: `toast-${tone}`, autoClose: tone === "bad" ? 10_000 : 4000, withBorder: true });
}
