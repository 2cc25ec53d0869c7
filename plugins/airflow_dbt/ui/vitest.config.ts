import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@openlakes/ui": resolve(import.meta.dirname, "../../../core/ui/src/ui/index.ts") } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
