import { act } from "react";
import { createRoot } from "react-dom/client";
import { expect, it } from "vitest";
import { reportRunning, useRunning } from "../running";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

function Titles(): string {
  return useRunning()
    .map((t) => t.title)
    .join();
}

it("what runs is shown until it is told to have ended; the same id is one thing", () => {
  const host = document.createElement("div");
  act(() => createRoot(host).render(<Titles />));
  const thing = { id: "a", path: "/", since: 0 };
  let end = (): void => undefined;
  act(() => void reportRunning({ ...thing, title: "first" }));
  act(() => void (end = reportRunning({ ...thing, title: "second" })));
  act(() => void reportRunning({ ...thing, id: "b", title: "other" }));
  expect(host.textContent).toBe("second,other");
  act(() => end());
  expect(host.textContent).toBe("other");
});
