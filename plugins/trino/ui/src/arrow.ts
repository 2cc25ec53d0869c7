// Results as they come: an Arrow IPC stream, decoded batch by batch; cells are made to text only when they are drawn,
// from the raw buffers, so that no digit of a 64-bit integer, a decimal or a timestamp is lost.
import { RecordBatchReader, Type, type Data, type DataType, type Field, type RecordBatch } from "apache-arrow";

const UTF8 = new TextDecoder();

export type CellValue = string | null;

export class ArrowRows {
  readonly batches: RecordBatch[] = [];
  private starts: number[] = [];
  fields: Field[] = [];
  length = 0;

  push(batch: RecordBatch): void {
    if (this.fields.length === 0) this.fields = batch.schema.fields;
    if (batch.numRows === 0) return;
    this.starts.push(this.length);
    this.batches.push(batch);
    this.length += batch.numRows;
  }

  private locate(row: number): { batch: RecordBatch; offset: number } | null {
    if (row < 0 || row >= this.length) return null;
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= row) low = middle;
      else high = middle - 1;
    }
    const batch = this.batches[low];
    return batch ? { batch, offset: row - (this.starts[low] ?? 0) } : null;
  }

  /** A cell as text; null is NULL, undefined is a row that is not there. */
  text(row: number, column: number): CellValue | undefined {
    const at = this.locate(row);
    const data = at?.batch.data.children[column];
    return at && data ? cellText(data, at.offset) : undefined;
  }

  /** A cell as a number, for charts and sorting; NaN where it is none. */
  number(row: number, column: number): number {
    const at = this.locate(row);
    const data = at?.batch.data.children[column];
    if (!at || !data) return Number.NaN;
    const { typeId } = data.type;
    if (typeId === Type.Int || (typeId === Type.Float && (data.type as unknown as { precision: number }).precision === 2))
      return isNull(data, at.offset) ? Number.NaN : Number(data.values[at.offset]);
    const text = cellText(data, at.offset);
    return text === null || text === "" ? Number.NaN : Number(text);
  }
}

/** Read a stream to its end, telling of each batch. */
export async function readArrow(response: Response, rows: ArrowRows, onBatch: () => void): Promise<void> {
  const reader = await RecordBatchReader.from(response);
  await reader.open();
  if (rows.fields.length === 0) rows.fields = reader.schema.fields;
  onBatch();
  for await (const batch of reader) {
    rows.push(batch);
    onBatch();
  }
}

export function isNumeric(type: DataType): boolean {
  return [Type.Int, Type.Float, Type.Decimal].includes(type.typeId);
}

function isNull(data: Data, at: number): boolean {
  const bit = data.offset + at;
  return data.nullCount > 0 && data.nullBitmap.length > 0 && (((data.nullBitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 0;
}

/** The text of one value. */
export function cellText(data: Data, at: number): CellValue {
  const { type } = data;
  if (type.typeId === Type.Null || isNull(data, at)) return null;
  switch (type.typeId) {
    case Type.Bool: {
      const bit = data.offset + at;
      return ((((data.values as Uint8Array)[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1 ? "true" : "false";
    }
    case Type.Int:
      return String(data.values[at]);
    case Type.Float:
      return floatText(data, at);
    case Type.Utf8:
    case Type.LargeUtf8:
      return UTF8.decode(slice(data, at));
    case Type.Binary:
    case Type.LargeBinary:
      return hex(slice(data, at));
    case Type.FixedSizeBinary: {
      const width = (type as unknown as { byteWidth: number }).byteWidth;
      return hex((data.values as Uint8Array).subarray(at * width, (at + 1) * width));
    }
    case Type.Decimal:
      return decimalText(data, at);
    case Type.Date:
      return dateText(data, at);
    case Type.Time:
      return timeOfDay(BigInt(data.values[at] as number | bigint), unitDigits(type));
    case Type.Timestamp:
      return timestampText(BigInt(data.values[at] as number | bigint), unitDigits(type), (type as unknown as { timezone?: string | null }).timezone);
    case Type.Dictionary: {
      const held = data.dictionary;
      const index = Number(data.values[at]);
      let start = 0;
      for (const chunk of held?.data ?? []) {
        if (index < start + chunk.length) return cellText(chunk, index - start);
        start += chunk.length;
      }
      return null;
    }
    case Type.List:
    case Type.FixedSizeList:
    case Type.Struct:
    case Type.Map:
      return nestedText(data, at);
    default:
      return String(data.values?.[at] ?? "");
  }
}

function floatText(data: Data, at: number): string {
  const value = Number(data.values[at]);
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return (data.type as unknown as { precision: number }).precision === 1 ? String(Number(value.toPrecision(9))) : String(value);
}

function slice(data: Data, at: number): Uint8Array {
  const offsets = data.valueOffsets as unknown as ArrayLike<number | bigint>;
  return (data.values as Uint8Array).subarray(Number(offsets[at]), Number(offsets[at + 1]));
}

function hex(bytes: Uint8Array): string {
  const shown = [...bytes.subarray(0, 64)].map((b) => b.toString(16).padStart(2, "0")).join("");
  return `0x${shown}${bytes.length > 64 ? `… (${bytes.length} bytes)` : ""}`;
}

function decimalText(data: Data, at: number): string {
  const { scale, bitWidth } = data.type as unknown as { scale: number; bitWidth: number };
  const words = bitWidth / 32;
  const values = data.values as Uint32Array;
  let value = 0n;
  for (let word = words - 1; word >= 0; word -= 1) value = (value << 32n) | BigInt(values[at * words + word] ?? 0);
  value = BigInt.asIntN(bitWidth, value);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const text = scale > 0 ? `${digits.slice(0, -scale)}.${digits.slice(-scale)}` : digits;
  return value < 0n ? `-${text}` : text;
}

const DIGITS = [0, 3, 6, 9];
const unitDigits = (type: DataType): number => DIGITS[(type as unknown as { unit: number }).unit] ?? 0;

function dateText(data: Data, at: number): string {
  const raw = data.values[at] as number | bigint;
  const days = (data.type as unknown as { unit: number }).unit === 0 ? BigInt(raw) : BigInt(raw) / 86_400_000n;
  return dateOfDays(days);
}

function dateOfDays(days: bigint): string {
  const date = new Date(Number(days) * 86_400_000);
  if (Number.isNaN(date.getTime())) return `${days} days since 1970`;
  const year = date.getUTCFullYear();
  const text = date.toISOString();
  return year >= 0 && year <= 9999 ? text.slice(0, 10) : text.slice(0, text.indexOf("T"));
}

function timeOfDay(value: bigint, digits: number): string {
  const scale = 10n ** BigInt(digits);
  const seconds = Number(value / scale);
  const part = (n: number): string => String(n).padStart(2, "0");
  const clock = `${part(Math.floor(seconds / 3600))}:${part(Math.floor(seconds / 60) % 60)}:${part(seconds % 60)}`;
  return digits ? `${clock}.${(value % scale).toString().padStart(digits, "0")}` : clock;
}

/** The day that was written last: rows that lie together share it. */
let lastDay: [day: number, text: string] = [Number.NaN, ""];

/** A timestamp that a double holds exactly, without big integers: a fling through a table makes thousands. */
function plainTimestamp(value: number, digits: number): string {
  const scale = 10 ** digits;
  const seconds = Math.floor(value / scale);
  const fraction = value - seconds * scale;
  const day = Math.floor(seconds / 86_400);
  if (lastDay[0] !== day) lastDay = [day, dateOfDays(BigInt(day))];
  const rest = seconds - day * 86_400;
  const part = (n: number): string => (n < 10 ? `0${n}` : String(n));
  const clock = `${part(Math.floor(rest / 3600))}:${part(Math.floor(rest / 60) % 60)}:${part(rest % 60)}`;
  return `${lastDay[1]} ${clock}${fraction ? `.${String(fraction).padStart(digits, "0").replace(/0+$/, "")}` : ""}`;
}

/** A timestamp with every digit that its unit has; an instant (with a zone) is shown in UTC. */
export function timestampText(value: bigint, digits: number, zone?: string | null): string {
  const plain = Number(value);
  if (Number.isSafeInteger(plain)) return `${plainTimestamp(plain, digits)}${zone ? " UTC" : ""}`;
  const day = 86_400n * 10n ** BigInt(digits);
  let days = value / day;
  let rest = value % day;
  if (rest < 0n) {
    days -= 1n;
    rest += day;
  }
  const time = timeOfDay(rest, digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  return `${dateOfDays(days)} ${time}${zone ? " UTC" : ""}`;
}

function nestedText(data: Data, at: number): string {
  return JSON.stringify(nested(data, at));
}

function nested(data: Data, at: number): unknown {
  if (data.type.typeId === Type.Null || isNull(data, at)) return null;
  const child = data.children[0];
  switch (data.type.typeId) {
    case Type.List: {
      const offsets = data.valueOffsets;
      const [start, end] = [Number(offsets[at]), Number(offsets[at + 1])];
      return child ? Array.from({ length: end - start }, (_, i) => nested(child, start + i)) : [];
    }
    case Type.FixedSizeList: {
      const size = (data.type as unknown as { listSize: number }).listSize;
      return child ? Array.from({ length: size }, (_, i) => nested(child, at * size + i)) : [];
    }
    case Type.Map: {
      const offsets = data.valueOffsets;
      const [keys, values] = child?.children ?? [];
      const out: Record<string, unknown> = {};
      for (let i = Number(offsets[at]); i < Number(offsets[at + 1]); i += 1)
        if (keys && values) out[cellText(keys, i) ?? "NULL"] = nested(values, i);
      return out;
    }
    case Type.Struct: {
      const fields = (data.type as unknown as { children: Field[] }).children;
      return Object.fromEntries(fields.map((field, i) => [field.name, data.children[i] ? nested(data.children[i], at + data.offset) : null]));
    }
    case Type.Bool:
      return cellText(data, at) === "true";
    case Type.Float: {
      const value = Number(data.values[at]);
      return Number.isFinite(value) ? value : String(value);
    }
    case Type.Int:
      return (data.type as unknown as { bitWidth: number }).bitWidth <= 32 ? Number(data.values[at]) : String(data.values[at]);
    default:
      return cellText(data, at);
  }
}
