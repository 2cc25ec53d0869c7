import { copyFileSync } from "node:fs";
import { resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { sharedInputs, sharedModules } from "./build/shared.ts";

const here = import.meta.dirname;
const outDir = resolve(here, "../src/openlakes_portal/static");

/** The page itself: the server fills its placeholders for each answer. */
const page: Plugin = {
  name: "openlakes-page",
  closeBundle: () => copyFileSync(resolve(here, "page.html"), resolve(outDir, "index.html")),
};

export default defineConfig(({ mode }) => ({
  base: "/",
  plugins: [react(), ...(mode === "test" ? [] : [sharedModules(), page])],
  resolve: { alias: { "@openlakes/ui": resolve(here, "src/ui/index.ts") } },
  worker: { format: "es" },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 5000,
    rollupOptions: {
      input: { main: resolve(here, "src/main.tsx"), ...sharedInputs() },
      preserveEntrySignatures: "strict",
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
}));
