import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { MemoryRouter } from "react-router";
import { describe, expect, it } from "vitest";
import type { BlockWire } from "../blocks";
import { DeclaredPage } from "../declared";

const SOURCE = "/api/plugins/acme/things";
const ACTION = {
  id: "acme.make", plugin: "acme", title: "Make a thing", description: "Makes one.", danger: "none", confirm_field: null, quick: true, icon: "plus",
  input_schema: { properties: { name: { type: "string" } }, required: ["name"] },
};
const DATA = {
  total: 336776,
  note: "**bold** <img src=x>",
  one: { name: "flights", size: 1500 },
  rows: [{ name: "<b>x</b>", size: 1500, state: "failed", url: "javascript:alert(1)", at: "2026-11-25T12:00:00Z" }, { name: null, size: null, state: "healthy", url: null, at: null }],
};

function draw(body: unknown[], data: unknown = DATA, path = "/"): string {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  client.setQueryData(["api", SOURCE], data);
  client.setQueryData(["api", "/api/actions"], { items: [ACTION] });
  const page = { id: "p", title: "Page", source: SOURCE, body: body as BlockWire[] };
  const tree: ReactElement = (
    <MantineProvider>
      <QueryClientProvider client={client}>
        <MemoryRouter initialEntries={[path]}>
          <DeclaredPage page={page} />
        </MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
  return renderToStaticMarkup(tree);
}

describe("a declared page", () => {
  it.each<[string, unknown, string]>([
    ["stat", { type: "stat", label: "Rows", value: "total", kind: "number" }, "336,776"],
    ["text", { type: "text", text: "Plain <b>" }, "Plain &lt;b&gt;"],
    ["notice", { type: "notice", text: "Look", tone: "warn" }, 'data-tone="warn"'],
    ["markdown", { type: "markdown", value: "note" }, "<strong>bold</strong> &lt;img"],
    ["keyValue", { type: "keyValue", title: "One", value: "one", fields: [{ field: "size", kind: "bytes" }] }, "1.5 kB"],
    ["chart", { type: "chart", title: "Sizes", rows: "rows", x: "name", y: "size", kind: "bar" }, "<svg"],
    ["code", { type: "code", title: "Code", value: "note", language: "text" }, "code-block"],
    ["timeline", { type: "timeline", title: "Past", rows: "rows", entry: { at: "at", title: "name", detail: "none", state: "state" } }, "Failed"],
    ["log", { type: "log", title: "Log", stream: "/api/plugins/acme/log" }, 'role="log"'],
    ["form", { type: "form", action: "acme.make" }, "Make a thing"],
    ["actionButton", { type: "actionButton", action: "acme.make", label: "Make it" }, "Make it"],
    ["grid", { type: "grid", body: [{ type: "text", text: "inside" }] }, "inside"],
    ["tabs", { type: "tabs", tabs: [{ label: "One", body: [{ type: "text", text: "first" }] }] }, "first"],
    ["a block of a later version", { type: "hologram" }, "Unsupported block"],
  ])("draws %s", (_name, block, found) => expect(draw([block])).toContain(found));

  it("draws a table's values as text, NULL unlike empty, and no link to a script", () => {
    const html = draw([
      { type: "table", title: "Rows", rows: "rows", empty: "None", columns: [{ field: "name", link: "/x/acme/one" }, { field: "state", kind: "status" }, { field: "url", kind: "link" }] },
    ]);
    expect(html).toContain("&lt;b&gt;x&lt;/b&gt;");
    expect(html).toContain("NULL");
    expect(html).toContain('href="/x/acme/one?name=%3Cb%3Ex%3C%2Fb%3E"');
    expect(html).not.toContain('href="javascript');
    expect(html).toContain('data-state="failed"');
  });

  it("says why a table is empty, also where the path leads nowhere", () =>
    expect(draw([{ type: "table", title: "Rows", rows: "no.such", empty: "Nothing landed yet.", columns: [{ field: "a" }] }])).toContain("Nothing landed yet."));

  it("opens the tab that stands in the address", () =>
    expect(
      draw([{ type: "tabs", tabs: [{ label: "A", body: [{ type: "text", text: "aaa" }] }, { label: "B", body: [{ type: "text", text: "bbb" }] }] }], DATA, "/?tab=B"),
    ).toContain("bbb"));

  it("leaves out an action that this person may not run", () => expect(draw([{ type: "actionButton", action: "acme.secret" }])).not.toContain("button"));
});
