// Declared pages on the wire: what core makes of the blocks of openlakes_portal.spi.
import type { ChartKind } from "./chart";
import type { ValueKind } from "./value";

export type ColumnWire = { field: string; label?: string; kind?: ValueKind; unit?: string; link?: string };
export type BlockWire =
  | { type: "stat"; label: string; value: string; unit?: string; kind?: ValueKind; source?: string }
  | { type: "text"; text: string }
  | { type: "markdown"; text?: string; value?: string; source?: string }
  | { type: "notice"; text: string; tone: "info" | "ok" | "warn" | "bad" }
  | { type: "table"; title: string; rows: string; columns: ColumnWire[]; empty: string; source?: string }
  | { type: "keyValue"; title: string; value: string; fields: ColumnWire[]; source?: string }
  | { type: "chart"; title: string; rows: string; x: string; y: string; kind: ChartKind; series?: string; unit?: string; source?: string }
  | { type: "form"; action: string; title?: string }
  | { type: "actionButton"; action: string; label?: string }
  | { type: "code"; title: string; value: string; language: string; source?: string }
  | { type: "log"; title: string; stream: string }
  | { type: "timeline"; title: string; rows: string; entry: { at: string; title: string; detail: string; state: string }; source?: string }
  | { type: "grid"; body: BlockWire[] }
  | { type: "tabs"; tabs: { label: string; body: BlockWire[] }[] };

export type DeclaredWire = {
  id: string;
  title: string;
  subtitle?: string | null;
  source: string | null;
  refresh?: number | null;
  body: BlockWire[];
};

/** Rows at a path; not a list is no rows. */
export function asRows(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? (value as unknown[]).filter((r): r is Record<string, unknown> => typeof r === "object" && r !== null) : [];
}
