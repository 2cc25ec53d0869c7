// The data grid: rows and columns are virtual, so that a million rows cost what is on the screen. Cells come from
// `cell(row, column)`, whatever store is behind it. Rows recycle their DOM nodes while scrolling.
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactElement, type PointerEvent as ReactPointerEvent } from "react";
import "./grid.css";

export type GridColumn = { name: string; type?: string; numeric?: boolean; width?: number; sorted?: "asc" | "desc" };
/** A cell as it is drawn; null is NULL. */
export type CellText = string | null;

type Props = {
  label: string;
  columns: GridColumn[];
  rowCount: number;
  cell: (row: number, column: number) => CellText | undefined;
  /** Changes when cells changed although their number did not. */
  version?: number;
  onHeader?: (column: number) => void;
  onOpen?: (row: number, column: number) => void;
};

const ROW = 26;
const HEAD = 42;
const NUMBER_WIDTH = 56;
/** Browsers bound the height of an element: beyond this many pixels the scroll bar is scaled. */
const MAX_HEIGHT = 30_000_000;

type Box = { index: number; start: number; size: number };

const GridRow = memo(function GridRow(props: {
  row: number;
  top: number;
  width: number;
  boxes: Box[];
  columns: GridColumn[];
  active: number;
  cell: Props["cell"];
  version: number;
  onPick: (row: number, column: number) => void;
  onOpen?: (row: number, column: number) => void;
  id: string;
}): ReactElement {
  const { row, boxes, columns, active, cell, onPick, onOpen, id } = props;
  return (
    <div role="row" aria-rowindex={row + 2} className="grid-row" style={{ transform: `translateY(${props.top}px)`, width: props.width }}>
      <div role="rowheader" aria-colindex={1} className="grid-number">
        {row + 1}
      </div>
      {boxes.map((box) => {
        const text = cell(row, box.index);
        const on = active === box.index;
        return (
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the grid has the focus (aria-activedescendant) and the keys
          <div
            key={box.index}
            id={`${id}-${row}-${box.index}`}
            role="gridcell"
            aria-colindex={box.index + 2}
            aria-selected={on}
            className="grid-cell"
            data-numeric={columns[box.index]?.numeric || undefined}
            data-null={text === null || undefined}
            data-empty={text === "" || undefined}
            data-active={on || undefined}
            style={{ left: box.start + NUMBER_WIDTH, width: box.size }}
            onClick={() => onPick(row, box.index)}
            onDoubleClick={onOpen ? () => onOpen(row, box.index) : undefined}
          >
            {text === null ? "NULL" : text === undefined ? "…" : text.length > 300 ? `${text.slice(0, 300)}…` : text}
          </div>
        );
      })}
    </div>
  );
});

export function DataGrid({ label, columns, rowCount, cell, version = 0, onHeader, onOpen }: Props): ReactElement {
  const frame = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<[number, number]>([0, 0]);
  const [widths, setWidths] = useState<Record<number, number>>({});
  const [id] = useState(() => `grid${Math.random().toString(36).slice(2, 8)}`);
  const scale = Math.max(1, (rowCount * ROW) / MAX_HEIGHT);
  const rows = useVirtualizer({
    count: rowCount,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW / scale,
    overscan: Math.ceil(8 * scale),
    useFlushSync: false,
  });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => frame.current,
    estimateSize: (index) => widths[index] ?? columns[index]?.width ?? defaultWidth(columns[index]),
    overscan: 3,
    useFlushSync: false,
  });
  useEffect(() => across.measure(), [columns, widths, across]);
  useEffect(() => rows.measure(), [scale, rows]);

  const boxes = stableBoxes(useRef<{ key: string; boxes: Box[] }>({ key: "", boxes: [] }), across.getVirtualItems());
  const pick = useCallback((row: number, column: number) => setActive([row, column]), []);
  const keys = useGridKeys({ frame, active, setActive, rowCount, columnCount: columns.length, cell, onOpen, reveal: (r, c) => {
    rows.scrollToIndex(r);
    across.scrollToIndex(c);
  } });

  const items = visibleRows(rows.getVirtualItems(), scale, frame.current);
  const pool = useRef(24);
  pool.current = Math.max(pool.current, items.length);
  const width = across.getTotalSize() + NUMBER_WIDTH;
  return (
    <div
      ref={frame}
      className="grid"
      role="grid"
      aria-label={label}
      aria-rowcount={rowCount + 1}
      aria-colcount={columns.length + 1}
      aria-activedescendant={rowCount > 0 ? `${id}-${active[0]}-${active[1]}` : undefined}
      tabIndex={0}
      onKeyDown={keys}
    >
      <div role="row" aria-rowindex={1} className="grid-head" style={{ width, height: HEAD }}>
        <div role="columnheader" aria-colindex={1} className="grid-number">
          #
        </div>
        {boxes.map((box) => (
          <HeaderCell
            key={box.index}
            box={box}
            column={columns[box.index] ?? { name: "" }}
            onHeader={onHeader}
            onWidth={(size) => setWidths((w) => ({ ...w, [box.index]: size }))}
          />
        ))}
      </div>
      <div role="rowgroup" className="grid-body" style={{ height: rows.getTotalSize(), width }}>
        {items.map((item) => (
          <GridRow
            key={item.index % pool.current}
            row={item.index}
            top={item.top}
            width={width}
            boxes={boxes}
            columns={columns}
            active={active[0] === item.index ? active[1] : -1}
            cell={cell}
            version={version}
            onPick={pick}
            onOpen={onOpen}
            id={id}
          />
        ))}
      </div>
    </div>
  );
}

function defaultWidth(column: GridColumn | undefined): number {
  if (!column) return 120;
  const text = Math.max(column.name.length * 7.6, (column.type?.length ?? 0) * 6.8) + 28;
  return Math.round(Math.min(320, Math.max(column.numeric ? 90 : 120, text)));
}

/** Where rows are drawn; when the scroll bar is scaled, rows keep their height around the place that is looked at. */
function visibleRows(items: { index: number; start: number }[], scale: number, frame: HTMLElement | null): { index: number; top: number }[] {
  if (scale === 1) return items.map((item) => ({ index: item.index, top: item.start }));
  const anchor = frame?.scrollTop ?? 0;
  const first = Math.floor((anchor * scale) / ROW);
  return items
    .filter((item) => Math.abs(item.index - first) < 120)
    .map((item) => ({ index: item.index, top: anchor + (item.index - first) * ROW }));
}

function stableBoxes(held: { current: { key: string; boxes: Box[] } }, items: Box[]): Box[] {
  const key = items.map((i) => `${i.index}:${i.start}:${i.size}`).join();
  if (held.current.key !== key) held.current = { key, boxes: items.map(({ index, start, size }) => ({ index, start, size })) };
  return held.current.boxes;
}

function HeaderCell({ box, column, onHeader, onWidth }: { box: Box; column: GridColumn; onHeader?: (i: number) => void; onWidth: (size: number) => void }): ReactElement {
  const start = useRef<{ x: number; width: number } | null>(null);
  const move = (event: ReactPointerEvent): void => {
    if (start.current) onWidth(Math.max(48, start.current.width + event.clientX - start.current.x));
  };
  const mark = column.sorted === "asc" ? " ↑" : column.sorted === "desc" ? " ↓" : "";
  return (
    <div
      role="columnheader"
      aria-colindex={box.index + 2}
      aria-sort={column.sorted === "asc" ? "ascending" : column.sorted === "desc" ? "descending" : undefined}
      className="grid-header"
      data-numeric={column.numeric || undefined}
      style={{ left: box.start + NUMBER_WIDTH, width: box.size }}
    >
      <button type="button" tabIndex={-1} onClick={() => onHeader?.(box.index)} title={`${column.name} ${column.type ?? ""}`}>
        <span className="grid-name">
          {column.name}
          {mark}
        </span>
        <span className="grid-type">{column.type}</span>
      </button>
      <span
        className="grid-resize"
        aria-hidden="true"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          start.current = { x: event.clientX, width: box.size };
        }}
        onPointerMove={move}
        onPointerUp={() => (start.current = null)}
      />
    </div>
  );
}

type KeyOptions = {
  frame: { current: HTMLDivElement | null };
  active: [number, number];
  setActive: (at: [number, number]) => void;
  rowCount: number;
  columnCount: number;
  cell: Props["cell"];
  onOpen?: (row: number, column: number) => void;
  reveal: (row: number, column: number) => void;
};

/** Arrow keys, Page, Home, End (with Ctrl the whole grid), Ctrl+C copies the cell, Enter opens it. */
function useGridKeys(options: KeyOptions): (event: KeyboardEvent) => void {
  const page = useMemo(() => () => Math.max(1, Math.floor((options.frame.current?.clientHeight ?? 400) / ROW) - 3), [options.frame]);
  return (event) => {
    let [row, column] = options.active;
    const last = [options.rowCount - 1, options.columnCount - 1] as const;
    const ctrl = event.ctrlKey || event.metaKey;
    switch (event.key) {
      case "ArrowDown": row += 1; break;
      case "ArrowUp": row -= 1; break;
      case "ArrowRight": column += 1; break;
      case "ArrowLeft": column -= 1; break;
      case "PageDown": row += page(); break;
      case "PageUp": row -= page(); break;
      case "Home": column = 0; if (ctrl) row = 0; break;
      case "End": column = last[1]; if (ctrl) row = last[0]; break;
      case "Enter": options.onOpen?.(row, column); return;
      case "c": if (ctrl) void navigator.clipboard?.writeText(options.cell(row, column) ?? ""); return;
      default: return;
    }
    event.preventDefault();
    row = Math.max(0, Math.min(last[0], row));
    column = Math.max(0, Math.min(last[1], column));
    options.setActive([row, column]);
    options.reveal(row, column);
  };
}
