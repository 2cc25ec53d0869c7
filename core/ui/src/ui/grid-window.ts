// Which part of a large grid is drawn, and what is copied from it: arithmetic without a page.

export const ROW = 26;
export const HEAD = 42;
/** Browsers bound the height of an element: beyond this many pixels the scroll bar stands for more rows than pixels. */
export const MAX_HEIGHT = 30_000_000;
const MOST_CELLS = 200_000;

export type DrawnRow = { index: number; top: number };
export type Cell = readonly [row: number, column: number];
export type Range = { top: number; bottom: number; left: number; right: number };

/** The column of row numbers is as wide as the largest of them. */
export const numberWidth = (rowCount: number): number => Math.max(52, String(rowCount).length * 7.3 + 22);

export const bodyHeight = (rowCount: number): number => Math.min(MAX_HEIGHT, rowCount * ROW);

/** Rows that the first drawn row can be, so that the last one ends at the bottom. */
const lastFirst = (rowCount: number, viewport: number): number => Math.max(0, rowCount - viewport / ROW);
const scrollable = (rowCount: number, viewport: number): number => Math.max(1, bodyHeight(rowCount) - viewport);
const isScaled = (rowCount: number): boolean => rowCount * ROW > MAX_HEIGHT;

/** Rows to draw at a place of the scroll bar, each with its place in the body; `beyond` more on either side. */
export function drawnRows(rowCount: number, scrollTop: number, viewport: number, beyond = 8): DrawnRow[] {
  if (rowCount === 0) return [];
  const top = Math.min(scrollTop, scrollable(rowCount, viewport));
  const first = isScaled(rowCount) ? (top / scrollable(rowCount, viewport)) * lastFirst(rowCount, viewport) : scrollTop / ROW;
  const from = Math.max(0, Math.floor(first) - beyond);
  const to = Math.min(rowCount - 1, Math.ceil(first + viewport / ROW) + beyond);
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => ({
    index: from + i,
    top: isScaled(rowCount) ? top + (from + i - first) * ROW : (from + i) * ROW,
  }));
}

/** Where the scroll bar must stand so that a row is in sight; unchanged when it is. */
export function revealRow(row: number, rowCount: number, scrollTop: number, viewport: number): number {
  const scaled = isScaled(rowCount);
  const first = scaled ? (scrollTop / scrollable(rowCount, viewport)) * lastFirst(rowCount, viewport) : scrollTop / ROW;
  const fits = viewport / ROW;
  const wanted = row < first ? row : row + 1 > first + fits ? row + 1 - fits : first;
  if (wanted === first) return scrollTop;
  return scaled ? (wanted / Math.max(1, lastFirst(rowCount, viewport))) * scrollable(rowCount, viewport) : wanted * ROW;
}

export function rangeOf(anchor: Cell, active: Cell): Range {
  return {
    top: Math.min(anchor[0], active[0]),
    bottom: Math.max(anchor[0], active[0]),
    left: Math.min(anchor[1], active[1]),
    right: Math.max(anchor[1], active[1]),
  };
}

/** Cells of a range as tab-separated text, which a spreadsheet takes; a single cell as it is. NULL is empty. */
export function copyText(range: Range, cell: (row: number, column: number) => string | null | undefined, names?: string[]): string {
  const single = range.top === range.bottom && range.left === range.right;
  if (single && !names) return cell(range.top, range.left) ?? "";
  const columns = Array.from({ length: range.right - range.left + 1 }, (_, i) => range.left + i);
  const rows = Math.min(range.bottom - range.top + 1, Math.max(1, Math.floor(MOST_CELLS / columns.length)));
  const line = (row: number): string => columns.map((column) => (cell(row, column) ?? "").replaceAll(/[\t\r\n]+/g, " ")).join("\t");
  const lines = Array.from({ length: rows }, (_, i) => line(range.top + i));
  return (names ? [columns.map((c) => names[c] ?? "").join("\t"), ...lines] : lines).join("\n");
}

/** The cell that a key moves to; null for keys that do not move. */
export function moveBy(key: string, ctrl: boolean, at: Cell, rowCount: number, columnCount: number, page: number): Cell | null {
  let [row, column] = at;
  switch (key) {
    case "ArrowDown": row = ctrl ? rowCount - 1 : row + 1; break;
    case "ArrowUp": row = ctrl ? 0 : row - 1; break;
    case "ArrowRight": column = ctrl ? columnCount - 1 : column + 1; break;
    case "ArrowLeft": column = ctrl ? 0 : column - 1; break;
    case "PageDown": row += page; break;
    case "PageUp": row -= page; break;
    case "Home": column = 0; if (ctrl) row = 0; break;
    case "End": column = columnCount - 1; if (ctrl) row = rowCount - 1; break;
    default: return null;
  }
  return [Math.max(0, Math.min(rowCount - 1, row)), Math.max(0, Math.min(columnCount - 1, column))];
}
