// Written by hand, without a build: React and the library come from the shell's import map.
import { definePlugin, Panel, Loaded, useApi } from "@openlakes/ui";
import { createElement as h } from "react";

function Hello() {
  const greeting = useApi("/api/plugins/acme-module/greeting");
  return h(Panel, { title: "From a module" }, h(Loaded, { query: greeting }, (data) => h("p", { className: "acme-hello" }, data.text)));
}

function Broken() {
  throw new Error("made to break");
}

export default definePlugin({ pages: { Hello, Broken } });
