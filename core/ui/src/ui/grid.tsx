// The data grid: rows and columns are virtual, so that a million rows cost what is on the screen. Cells come from
// `cell(row, column)`, whatever store is behind it. Rows recycle their DOM nodes while scrolling.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useId, useRef, useState, type KeyboardEvent, type ReactElement, type ReactNode } from "react";
import { HeaderCell } from "./grid-header";
import { GridRow } from "./grid-row";
import { bodyHeight, copyText, drawnRows, HEAD, moveBy, numberWidth, rangeOf, revealRow, ROW, type Cell } from "./grid-window";
import "./grid.css";

export type GridColumn = { name: string; type?: string; numeric?: boolean; width?: number; sorted?: "asc" | "desc" };
/** A cell as it is drawn; null is NULL. */
export type CellText = string | null;
export type Box = { index: number; start: number; size: number };

type Props = {
  label: string;
  columns: GridColumn[];
  rowCount: number;
  /** Text of a cell; undefined while it is not there yet. */
  cell: (row: number, column: number) => CellText | undefined;
  /** Draws a cell otherwise than as its text; keep it the same function between renders. */
  renderCell?: (text: CellText, row: number, column: number) => ReactNode;
  /** Changes when cells changed although their number did not. */
  version?: number;
  onHeader?: (column: number) => void;
  onOpen?: (row: number, column: number) => void;
};

const START: Cell = [0, 0];
/** No screen shows more pixels; a page that gives the grid no height must not make it draw every row. */
const TALLEST = 4000;

export function DataGrid({ label, columns, rowCount, cell, renderCell, version = 0, onHeader, onOpen }: Props): ReactElement {
  const frame = useRef<HTMLDivElement>(null);
  const id = useId();
  const [active, setActive] = useState<Cell>(START);
  const [anchor, setAnchor] = useState<Cell>(START);
  const [widths, setWidths] = useState<Record<number, number>>({});
  const [copied, setCopied] = useState("");
  const seen = useViewport(frame);
  const numbers = numberWidth(rowCount);
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => frame.current,
    estimateSize: (index) => widths[index] ?? columns[index]?.width ?? defaultWidth(columns[index]),
    overscan: 3,
    scrollPaddingEnd: numbers,
    useFlushSync: false,
  });
  useEffect(() => across.measure(), [columns, widths, across]);
  const boxes = useStableBoxes(across.getVirtualItems());
  const pick = useCallback((row: number, column: number, extend: boolean) => {
    setActive([row, column]);
    if (!extend) setAnchor([row, column]);
  }, []);

  const range = rangeOf(anchor, active);
  const copy = async (names: boolean): Promise<void> => {
    const cells = (range.bottom - range.top + 1) * (range.right - range.left + 1);
    await navigator.clipboard?.writeText(copyText(range, cell, names ? columns.map((c) => c.name) : undefined));
    setCopied(cells === 1 ? "Cell copied" : `${cells} cells copied`);
  };
  const keys = (event: KeyboardEvent): void => {
    const ctrl = event.ctrlKey || event.metaKey;
    if (ctrl && event.key.toLowerCase() === "c") {
      event.preventDefault();
      void copy(event.shiftKey);
      return;
    }
    if (ctrl && event.key.toLowerCase() === "a") {
      event.preventDefault();
      setAnchor(START);
      setActive([rowCount - 1, columns.length - 1]);
      return;
    }
    if (event.altKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      event.preventDefault();
      const now = across.measurementsCache[active[1]]?.size ?? 120;
      setWidths((w) => ({ ...w, [active[1]]: Math.max(48, now + (event.key === "ArrowRight" ? 16 : -16)) }));
      return;
    }
    if (event.key === "Enter") {
      onOpen?.(active[0], active[1]);
      return;
    }
    const next = moveBy(event.key, ctrl, active, rowCount, columns.length, Math.max(1, Math.floor(seen.height / ROW) - 1));
    if (!next || !frame.current) return;
    event.preventDefault();
    pick(next[0], next[1], event.shiftKey);
    frame.current.scrollTop = revealRow(next[0], rowCount, frame.current.scrollTop, seen.height);
    across.scrollToIndex(next[1]);
  };

  const drawn = drawnRows(rowCount, seen.top, seen.height);
  const pool = usePool(drawn.length);
  const width = across.getTotalSize() + numbers;
  return (
    <>
    <div
      ref={frame}
      className="grid"
      role="grid"
      aria-label={label}
      aria-multiselectable="true"
      aria-rowcount={rowCount + 1}
      aria-colcount={columns.length + 1}
      aria-activedescendant={drawn.some((d) => d.index === active[0]) ? `${id}-${active[0]}-${active[1]}` : undefined}
      tabIndex={0}
      onKeyDown={keys}
    >
      <div role="rowgroup" className="grid-head" style={{ width, height: HEAD }}>
        <div role="row" aria-rowindex={1}>
          <div role="columnheader" aria-colindex={1} className="grid-number" style={{ width: numbers }}>
            #
          </div>
          {boxes.map((box) => (
            <HeaderCell
              key={box.index}
              box={box}
              offset={numbers}
              column={columns[box.index] ?? { name: "" }}
              onHeader={onHeader}
              onWidth={(size) => setWidths((old) => withWidth(old, box.index, size))}
            />
          ))}
        </div>
      </div>
      <div role="rowgroup" className="grid-body" style={{ height: bodyHeight(rowCount), width }}>
        {drawn.map((item) => {
          const inside = item.index >= range.top && item.index <= range.bottom;
          return (
            <GridRow
              key={item.index % pool}
              id={id}
              row={item.index}
              top={item.top}
              width={width}
              boxes={boxes}
              offset={numbers}
              columns={columns}
              active={active[0] === item.index ? active[1] : -1}
              from={inside ? range.left : 1}
              to={inside ? range.right : 0}
              cell={cell}
              renderCell={renderCell}
              version={version}
              onPick={pick}
              onOpen={onOpen}
            />
          );
        })}
      </div>
    </div>
    <div className="visually-hidden" aria-live="polite">
      {copied}
    </div>
    </>
  );
}

function withWidth(widths: Record<number, number>, column: number, size: number | null): Record<number, number> {
  const next = { ...widths };
  if (size === null) delete next[column];
  else next[column] = size;
  return next;
}

function defaultWidth(column: GridColumn | undefined): number {
  if (!column) return 120;
  const text = Math.max(column.name.length * 7.6, (column.type?.length ?? 0) * 6.8) + 28;
  return Math.round(Math.min(320, Math.max(column.numeric ? 90 : 120, text)));
}

/** What of the body is in sight: read at each frame in which the grid was scrolled or changed its size. */
function useViewport(frame: { current: HTMLDivElement | null }): { top: number; height: number } {
  const [seen, setSeen] = useState({ top: 0, height: 0 });
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    let asked = 0;
    const read = (): void => {
      asked = 0;
      const next = { top: element.scrollTop, height: Math.min(TALLEST, Math.max(0, element.clientHeight - HEAD)) };
      setSeen((old) => (old.top === next.top && old.height === next.height ? old : next));
    };
    const ask = (): void => {
      asked ||= requestAnimationFrame(read);
    };
    read();
    element.addEventListener("scroll", ask, { passive: true });
    const observer = new ResizeObserver(ask);
    observer.observe(element);
    return () => {
      cancelAnimationFrame(asked);
      element.removeEventListener("scroll", ask);
      observer.disconnect();
    };
  }, [frame]);
  return seen;
}

/** The same array as long as the boxes are the same: rows are drawn again only when columns change. */
function useStableBoxes(items: Box[]): Box[] {
  const key = items.map((i) => `${i.index}:${i.start}:${i.size}`).join();
  const [held, setHeld] = useState<{ key: string; boxes: Box[] }>({ key: "", boxes: [] });
  if (held.key === key) return held.boxes;
  const boxes = items.map(({ index, start, size }) => ({ index, start, size }));
  setHeld({ key, boxes });
  return boxes;
}

/** How many rows were ever drawn at once: DOM nodes go round in a pool of that size. */
function usePool(count: number): number {
  const [most, setMost] = useState(24);
  if (count > most) setMost(count);
  return Math.max(most, count);
}
