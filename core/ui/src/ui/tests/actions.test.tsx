import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ActionForm, type ActionInfo } from "../actions";

const DROP: ActionInfo = {
  id: "acme.drop", plugin: "acme", title: "Drop table", description: "Takes it away.", danger: "destructive", confirm_field: "table", quick: false, icon: "trash",
  input_schema: { properties: { table: { type: "string" } }, required: ["table"] },
};

let host: HTMLElement;
let root: Root;
let asked: { url: string; body: string }[];

beforeEach(() => {
  (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  asked = [];
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    asked.push({ url, body: String(init.body) });
    const dry = url.endsWith("true");
    return Promise.resolve(Response.json({ message: dry ? "Would drop t1." : "Dropped t1.", effects: ["DROP TABLE t1"], link: null, dry_run: dry }));
  });
  host = document.body.appendChild(document.createElement("div"));
  root = createRoot(host);
});
afterEach(async () => {
  await act(async () => root.unmount());
  host.remove();
  vi.unstubAllGlobals();
});

async function show(action: ActionInfo): Promise<void> {
  await act(async () =>
    root.render(
      <MantineProvider>
        <QueryClientProvider client={new QueryClient()}>
          <MemoryRouter>
            <ActionForm action={action} />
          </MemoryRouter>
        </QueryClientProvider>
      </MantineProvider>,
    ),
  );
}
const submit = (): Promise<void> =>
  act(async () => {
    host.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    await Promise.resolve();
    await new Promise((done) => setTimeout(done, 5));
  });
async function type(field: HTMLInputElement | undefined, text: string): Promise<void> {
  await act(async () => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(field, text);
    field?.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
const inputs = (): HTMLInputElement[] => [...host.querySelectorAll<HTMLInputElement>("input")];

describe("a destructive action", () => {
  it("asks nothing of the server while a field is missing", async () => {
    await show(DROP);
    await submit();
    expect(asked).toEqual([]);
    expect(host.textContent).toContain("This is needed.");
  });

  it("shows first what it would do, and does it only when its name is typed", async () => {
    await show(DROP);
    await type(inputs()[0], "t1");
    await submit();
    expect(asked.map((a) => a.url)).toEqual(["/api/actions/acme.drop?dry_run=true"]);
    expect(host.textContent).toContain("DROP TABLE t1");
    await submit();
    await type(inputs()[1], "t2");
    await submit();
    expect(asked).toHaveLength(1);
    await type(inputs()[1], "t1");
    await submit();
    expect(asked.map((a) => a.url)).toEqual(["/api/actions/acme.drop?dry_run=true", "/api/actions/acme.drop?dry_run=false"]);
    expect(asked[1]?.body).toBe('{"table":"t1"}');
  });

  it("asks again when what was shown is no longer what was typed", async () => {
    await show(DROP);
    await type(inputs()[0], "t1");
    await submit();
    await type(inputs()[0], "t2");
    await submit();
    expect(asked.map((a) => a.url.split("=")[1])).toEqual(["true", "true"]);
  });
});

it("an action without danger runs at once", async () => {
  await show({ ...DROP, danger: "none", confirm_field: null });
  await type(inputs()[0], "t1");
  await submit();
  expect(asked.map((a) => a.url)).toEqual(["/api/actions/acme.drop?dry_run=false"]);
});
