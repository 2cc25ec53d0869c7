// Modules that exist once in the browser: the shell, its pages and every plugin's module get the same copy by the
// page's import map. Each becomes an entry of the build. CommonJS packages (react) have no static named exports, so
// theirs are spelled out at build time.
import { createRequire } from "node:module";
import type { Plugin } from "vite";

const COMMONJS = ["react", "react/jsx-runtime", "react/jsx-dev-runtime", "react-dom", "react-dom/client"];
export const SHARED = [...COMMONJS, "react-router", "@tanstack/react-query", "@openlakes/ui"];

const PREFIX = "shared:";
const entryName = (name: string): string => `shared-${name.replace(/^@/, "").replace(/[/.]/g, "-")}`;

/** Inputs of the build, one for each shared module. */
export const sharedInputs = (): Record<string, string> =>
  Object.fromEntries(SHARED.map((name) => [entryName(name), PREFIX + name]));

/** Writes the shared entries, and manifest.json, from which the server makes index.html and its import map. */
export function sharedModules(): Plugin {
  const require = createRequire(import.meta.url);
  return {
    name: "openlakes-shared",
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined;
      const name = id.slice(PREFIX.length + 1);
      if (!COMMONJS.includes(name)) return `export * from ${JSON.stringify(name)};`;
      const names = Object.keys(require(name) as object).filter((n) => n !== "default" && /^[A-Za-z_$][\w$]*$/.test(n));
      const lines = names.sort().map((n) => `export const ${n} = module_.${n};`);
      return [`import module_ from ${JSON.stringify(name)};`, "export default module_;", ...lines].join("\n");
    },
    generateBundle(_options, bundle) {
      const chunks = Object.values(bundle).filter((c) => c.type === "chunk");
      const entry = chunks.find((c) => c.isEntry && c.name === "main");
      if (!entry) throw new Error("the build has no entry 'main'");
      const imports: Record<string, string> = {};
      for (const name of SHARED) {
        const chunk = chunks.find((c) => c.isEntry && c.name === entryName(name));
        if (!chunk) throw new Error(`the build has no chunk for ${name}`);
        imports[name] = chunk.fileName;
      }
      const graph = new Map(chunks.map((c) => [c.fileName, c.imports]));
      const first = closure(entry.fileName, graph);
      // What a plugin gets by the import map brings its styles only when the page already has them.
      const styled = new Set([first, ...Object.values(imports).map((file) => closure(file, graph))].flatMap((files) => [...files]));
      const css = chunks
        .filter((c) => styled.has(c.fileName))
        .flatMap((c) => [...((c as { viteMetadata?: { importedCss: Set<string> } }).viteMetadata?.importedCss ?? [])]);
      const fonts = Object.keys(bundle).filter((file) => /inter-latin-wght-normal.*\.woff2$/.test(file));
      const manifest = {
        entry: entry.fileName,
        css: [...new Set(css)],
        preload: [...first].filter((file) => file !== entry.fileName),
        fonts,
        imports,
      };
      this.emitFile({ type: "asset", fileName: "manifest.json", source: JSON.stringify(manifest, null, 1) });
    },
  };
}

function closure(start: string, imports: Map<string, string[]>): Set<string> {
  const found = new Set<string>();
  const todo = [start];
  for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    todo.push(...(imports.get(file) ?? []));
  }
  return found;
}
