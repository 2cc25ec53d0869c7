// The body of the grid, drawn without React: rows go round in a pool of DOM nodes, and a frame of a fast scroll
// writes only what differs, a cell's text above all. React draws the frame and the headings.
import type { Box, CellText, GridColumn } from "./grid";
import { drawnRows, HEAD, type Cell, type Range } from "./grid-window";

const LONGEST = 300;
/** No screen shows more pixels; a page that gives the grid no height must not make it draw every row. */
const TALLEST = 4000;
/** Rows beyond what is in sight; in a leap there is no time for them, they come once it is over. */
const BEYOND = 8;
const SETTLED = 120;
const CHARACTER = 7.5;
const PADDING = 26;

/** Where the columns are. A new one is laid out anew; keep it the same object while nothing moved. */
export type Layout = { boxes: Box[]; columns: GridColumn[]; offset: number; width: number };
export type Scene = {
  id: string;
  rowCount: number;
  layout: Layout;
  cell: (row: number, column: number) => CellText | undefined;
  version: number;
  active: Cell;
  range: Range;
};

type PaintedCell = { element: HTMLElement; text: Text; value: CellText | undefined; column: number; size: number; long: boolean };
type PaintedRow = {
  element: HTMLElement;
  number: HTMLElement;
  cells: PaintedCell[];
  row: number;
  top: number;
  layout: Layout | null;
  cell: Scene["cell"] | null;
  version: number;
  active: number;
  from: number;
  to: number;
};

export class GridPainter {
  private pool: PaintedRow[] = [];
  private scene: Scene | null = null;
  private frame = 0;
  private settle: ReturnType<typeof setTimeout> | undefined;
  private top = 0;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly body: HTMLElement,
  ) {}

  /** Draws at each frame in which the grid was scrolled or changed its size, until the returned function is called. */
  watch(): () => void {
    const ask = (): void => {
      this.frame ||= requestAnimationFrame(() => {
        this.frame = 0;
        this.paint();
      });
    };
    this.scroller.addEventListener("scroll", ask, { passive: true });
    const observer = new ResizeObserver(ask);
    observer.observe(this.scroller);
    return () => {
      cancelAnimationFrame(this.frame);
      clearTimeout(this.settle);
      this.scroller.removeEventListener("scroll", ask);
      observer.disconnect();
    };
  }

  get height(): number {
    return Math.min(TALLEST, Math.max(0, this.scroller.clientHeight - HEAD));
  }

  show(scene: Scene): void {
    this.scene = scene;
    this.paint();
  }

  private paint(): void {
    const { scene, height } = this;
    if (!scene) return;
    const top = this.scroller.scrollTop;
    const leap = Math.abs(top - this.top) > height;
    this.top = top;
    this.scroller.toggleAttribute("data-across", this.scroller.scrollLeft > 0);
    clearTimeout(this.settle);
    if (leap) this.settle = setTimeout(() => this.paint(), SETTLED);
    const drawn = drawnRows(scene.rowCount, top, height, leap ? 1 : BEYOND);
    while (this.pool.length < drawn.length) this.pool.push(this.newRow());
    const used = new Set<PaintedRow>();
    for (const { index, top: at } of drawn) {
      const slot = this.pool[index % this.pool.length] as PaintedRow;
      used.add(slot);
      paintRow(slot, index, at, scene);
    }
    // In a leap the rest stay where they are, which is out of sight.
    if (!leap) for (const slot of this.pool) if (!used.has(slot)) hide(slot);
    const [row, column] = scene.active;
    const name = drawn.some((d) => d.index === row) && scene.layout.boxes.some((b) => b.index === column) ? cellId(scene, row, column) : null;
    if (name) attribute(this.scroller, "aria-activedescendant", name);
    else this.scroller.removeAttribute("aria-activedescendant");
  }

  private newRow(): PaintedRow {
    const element = make("grid-row", "row");
    const number = make("grid-number", "rowheader");
    number.setAttribute("aria-colindex", "1");
    element.append(number);
    this.body.append(element);
    return { element, number, cells: [], row: -1, top: Number.NaN, layout: null, cell: null, version: -1, active: -1, from: 1, to: 0 };
  }
}

/** Which cell an event is in. */
export function cellOf(target: EventTarget | null): Cell | null {
  const cell = target instanceof Element ? target.closest(".grid-cell") : null;
  const row = cell?.parentElement;
  return cell && row ? [Number(row.getAttribute("aria-rowindex")) - 2, Number(cell.getAttribute("aria-colindex")) - 2] : null;
}

const cellId = (scene: Scene, row: number, column: number): string => `${scene.id}-${row}-${column}`;

function make(className: string, role: string): HTMLElement {
  const element = document.createElement("div");
  element.className = className;
  element.setAttribute("role", role);
  return element;
}

function attribute(element: HTMLElement, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function hide(slot: PaintedRow): void {
  if (slot.row < 0) return;
  slot.row = -1;
  slot.element.hidden = true;
}

function paintRow(slot: PaintedRow, row: number, top: number, scene: Scene): void {
  const moved = slot.row !== row;
  const laidOut = slot.layout === scene.layout;
  if (!laidOut) layOut(slot, scene.layout);
  if (slot.top !== top) {
    slot.top = top;
    slot.element.style.top = `${top}px`;
  }
  if (moved) {
    if (slot.row < 0) slot.element.hidden = false;
    slot.row = row;
    slot.element.setAttribute("aria-rowindex", String(row + 2));
    slot.number.textContent = String(row + 1);
  }
  if (moved || !laidOut || slot.cell !== scene.cell || slot.version !== scene.version) {
    slot.cell = scene.cell;
    slot.version = scene.version;
    for (const cell of slot.cells) write(cell, scene.cell(row, cell.column));
  }
  const inside = row >= scene.range.top && row <= scene.range.bottom;
  const [from, to] = inside ? [scene.range.left, scene.range.right] : [1, 0];
  const active = scene.active[0] === row ? scene.active[1] : -1;
  if (laidOut && slot.from === from && slot.to === to && slot.active === active && (!moved || active < 0)) return;
  [slot.from, slot.to, slot.active] = [from, to, active];
  for (const { element, column } of slot.cells) {
    attribute(element, "aria-selected", String(column >= from && column <= to));
    element.toggleAttribute("data-active", column === active);
    // Only the active cell is named by anything.
    if (column === active) element.id = cellId(scene, row, column);
    else if (element.id) element.removeAttribute("id");
  }
}

function layOut(slot: PaintedRow, layout: Layout): void {
  slot.layout = layout;
  slot.element.style.width = `${layout.width}px`;
  slot.number.style.width = `${layout.offset}px`;
  for (const extra of slot.cells.splice(layout.boxes.length)) extra.element.remove();
  layout.boxes.forEach((box, i) => {
    const cell = slot.cells[i] ?? newCell(slot);
    cell.column = box.index;
    cell.size = box.size;
    cell.element.setAttribute("aria-colindex", String(box.index + 2));
    cell.element.toggleAttribute("data-numeric", layout.columns[box.index]?.numeric ?? false);
    cell.element.style.left = `${box.start + layout.offset}px`;
    cell.element.style.width = `${box.size}px`;
  });
}

function newCell(slot: PaintedRow): PaintedCell {
  const element = make("grid-cell", "gridcell");
  const text = document.createTextNode("");
  element.append(text);
  element.setAttribute("aria-selected", "false");
  slot.element.append(element);
  const cell: PaintedCell = { element, text, value: "", column: -1, size: 0, long: false };
  slot.cells.push(cell);
  return cell;
}

/** Whether a text surely fits: plain letters of the mono font, which are all as wide, within the padding. */
const fits = (value: string, size: number): boolean => value.length * CHARACTER <= size - PADDING && !/[^ -~]/.test(value);

/** A cell that is not there yet is a light bar; NULL is unlike an empty text. */
function write(cell: PaintedCell, value: CellText | undefined): void {
  const long = value !== null && value !== undefined && !fits(value, cell.size);
  if (long !== cell.long) {
    cell.long = long;
    cell.element.toggleAttribute("data-long", long);
  }
  if (cell.value === value) return;
  if ((cell.value === null) !== (value === null)) cell.element.toggleAttribute("data-null", value === null);
  if ((cell.value === undefined) !== (value === undefined)) cell.element.toggleAttribute("data-waiting", value === undefined);
  cell.value = value;
  cell.text.data = value === undefined ? "" : value === null ? "NULL" : value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value;
}
