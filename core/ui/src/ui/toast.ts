import { notifications } from "@mantine/notifications";
import { createElement, Fragment } from "react";

const TITLES = { ok: "Done", bad: "Not done", info: "Note" };

/** What a toast offers to do, for as long as it is there. */
export type ToastAction = { label: string; run: () => void };

/** Tell the result of what the person just did; nothing else is a toast. */
export function toast(tone: "ok" | "bad" | "info", message: string, action?: ToastAction): void {
  const id = notifications.show({
    title: TITLES[tone],
    message: action ? createElement(Fragment, null, message, " ", button(action, () => notifications.hide(id))) : message,
    className: `toast-${tone}`,
    autoClose: tone === "bad" || action ? 10_000 : 4000,
    withBorder: true,
  });
}

function button(action: ToastAction, hide: () => void): ReturnType<typeof createElement> {
  const onClick = (): void => {
    hide();
    action.run();
  };
  return createElement("button", { type: "button", className: "link-button toast-action", onClick }, action.label);
}
