// EXPLAIN (TYPE IO, FORMAT JSON) of Trino: which tables a statement reads, by which conditions, and how much of them.

export type IoTable = { table: string; conditions: string; rows: number | null; bytes: number | null; written: boolean };

type Bound = { value?: string; bound?: string };
type Raw = {
  inputTableColumnInfos?: {
    table?: { catalog?: string; schemaTable?: { schema?: string; table?: string } };
    constraint?: { none?: boolean; columnConstraints?: { columnName?: string; domain?: { nullsAllowed?: boolean; ranges?: { low?: Bound; high?: Bound }[] } }[] };
    estimate?: { outputRowCount?: number | string; outputSizeInBytes?: number | string };
  }[];
  outputTable?: { catalog?: string; schemaTable?: { schema?: string; table?: string } };
};

const MOST_RANGES = 5;

/** The tables, or null where the text is no such plan. */
export function readIoPlan(text: string): IoTable[] | null {
  let raw: Raw;
  try {
    raw = JSON.parse(text) as Raw;
  } catch {
    return null;
  }
  if (typeof raw !== "object" || raw === null || !Array.isArray(raw.inputTableColumnInfos)) return null;
  const read = raw.inputTableColumnInfos.map((info) => ({
    table: nameOf(info.table),
    conditions: info.constraint?.none ? "nothing can match" : (info.constraint?.columnConstraints ?? []).map((c) => condition(c)).join(" and "),
    rows: figure(info.estimate?.outputRowCount),
    bytes: figure(info.estimate?.outputSizeInBytes),
    written: false,
  }));
  return raw.outputTable ? [...read, { table: nameOf(raw.outputTable), conditions: "", rows: null, bytes: null, written: true }] : read;
}

const nameOf = (t: { catalog?: string; schemaTable?: { schema?: string; table?: string } } | undefined): string =>
  [t?.catalog, t?.schemaTable?.schema, t?.schemaTable?.table].filter(Boolean).join(".");

/** Trino writes "NaN" where it does not know. */
const figure = (value: number | string | undefined): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);

function condition({ columnName = "", domain }: { columnName?: string; domain?: { nullsAllowed?: boolean; ranges?: { low?: Bound; high?: Bound }[] } }): string {
  const ranges = (domain?.ranges ?? []).slice(0, MOST_RANGES).map(({ low, high }) => {
    if (low?.value !== undefined && low.value === high?.value) return `${columnName} = ${low.value}`;
    const parts = [
      low?.value === undefined ? "" : `${columnName} ${low.bound === "EXACTLY" ? ">=" : ">"} ${low.value}`,
      high?.value === undefined ? "" : `${columnName} ${high.bound === "EXACTLY" ? "<=" : "<"} ${high.value}`,
    ].filter(Boolean);
    return parts.join(" and ") || `${columnName} is not NULL`;
  });
  if (domain?.nullsAllowed) ranges.push(`${columnName} is NULL`);
  const more = (domain?.ranges?.length ?? 0) > MOST_RANGES ? " or ..." : "";
  return ranges.length > 1 ? `(${ranges.join(" or ")}${more})` : ranges.join("");
}
