// The build of a plugin's module: `export default pluginBuild({ root: import.meta.dirname, outDir: "../src/.../static" })`.
// What SHARED names stays outside: the shell's import map provides it.
import react from "@vitejs/plugin-react";
import { defineConfig, type UserConfig } from "vite";
import { SHARED } from "./shared.ts";

export function pluginBuild(options: { root: string; entry?: string; outDir: string }): UserConfig {
  return defineConfig({
    root: options.root,
    base: "./",
    plugins: [react()],
    define: { "process.env.NODE_ENV": '"production"' },
    worker: { format: "es" },
    build: {
      outDir: options.outDir,
      emptyOutDir: true,
      target: "es2022",
      reportCompressedSize: false,
      modulePreload: false,
      assetsInlineLimit: 0,
      cssCodeSplit: false,
      rollupOptions: {
        input: { index: options.entry ?? "src/index.tsx" },
        external: SHARED,
        preserveEntrySignatures: "strict",
        output: {
          entryFileNames: "[name].js",
          chunkFileNames: "[name]-[hash].js",
          assetFileNames: (asset) => (asset.names[0]?.endsWith(".css") ? "index.css" : "[name]-[hash][extname]"),
        },
      },
    },
  }) as UserConfig;
}
