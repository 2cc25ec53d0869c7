// What a first visit loads (JavaScript and CSS, fonts not counted), in brotli; fails over the budget of P11.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";

const BUDGET = 250_000;
const folder = join(import.meta.dirname, "../../src/openlakes_portal/static");
const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
const files = [manifest.entry, ...manifest.preload, ...manifest.css];
const size = files.reduce((sum, file) => sum + brotliCompressSync(readFileSync(join(folder, file))).length, 0);
process.stdout.write(`first load: ${files.length} files, ${(size / 1000).toFixed(1)} kB brotli of ${BUDGET / 1000}\n`);
if (size > BUDGET) process.exit(1);
