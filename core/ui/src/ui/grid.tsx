// The data grid: rows and columns are virtual, so that a million rows cost what is on the screen. Cells come from
// `cell(row, column)`, whatever store is behind it. The headings are React's, the rows GridPainter's.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent, type ReactElement } from "react";
import { plural } from "./format";
import { HeaderCell } from "./grid-header";
import { cellOf, GridPainter } from "./grid-paint";
import { bodyHeight, copyText, HEAD, moveBy, numberWidth, rangeOf, revealRow, ROW, type Cell } from "./grid-window";
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
  /** Changes when cells changed although their number did not. */
  version?: number;
  onHeader?: (column: number) => void;
  onOpen?: (row: number, column: number) => void;
};

const START: Cell = [0, 0];

export function DataGrid({ label, columns, rowCount, cell, version = 0, onHeader, onOpen }: Props): ReactElement {
  const frame = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const painter = useRef<GridPainter | null>(null);
  const id = useId();
  const [active, setActive] = useState<Cell>(START);
  const [anchor, setAnchor] = useState<Cell>(START);
  const [widths, setWidths] = useState<Record<number, number>>({});
  const [copied, setCopied] = useState("");
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
  const pick = (row: number, column: number, extend: boolean): void => {
    setActive([row, column]);
    if (!extend) setAnchor([row, column]);
  };
  const range = rangeOf(anchor, active);
  const copy = async (names: boolean): Promise<void> => {
    const cells = (range.bottom - range.top + 1) * (range.right - range.left + 1);
    await navigator.clipboard?.writeText(copyText(range, cell, names ? columns.map((c) => c.name) : undefined));
    setCopied(`${plural(cells, "cell")} copied`);
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
    const height = painter.current?.height ?? 0;
    const next = moveBy(event.key, ctrl, active, rowCount, columns.length, Math.max(1, Math.floor(height / ROW) - 1));
    if (!next || !frame.current) return;
    event.preventDefault();
    pick(next[0], next[1], event.shiftKey);
    frame.current.scrollTop = revealRow(next[0], rowCount, frame.current.scrollTop, height);
    across.scrollToIndex(next[1]);
  };

  const width = across.getTotalSize() + numbers;
  const layout = useMemo(() => ({ boxes, columns, offset: numbers, width }), [boxes, columns, numbers, width]);
  useLayoutEffect(() => {
    if (!frame.current || !body.current) return undefined;
    painter.current = new GridPainter(frame.current, body.current);
    return painter.current.watch();
  }, []);
  useLayoutEffect(() => painter.current?.show({ id, rowCount, layout, cell, version, active, range }));
  const click = (event: MouseEvent): void => {
    const at = cellOf(event.target);
    if (at) pick(at[0], at[1], event.shiftKey);
  };
  const doubleClick = (event: MouseEvent): void => {
    const at = cellOf(event.target);
    if (at) onOpen?.(at[0], at[1]);
  };
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
      {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus, jsx-a11y/no-noninteractive-element-interactions -- the grid has the focus (aria-activedescendant) and the keys */}
      <div ref={body} role="rowgroup" className="grid-body" style={{ height: bodyHeight(rowCount), width }} onClick={click} onDoubleClick={doubleClick} />
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

/** The same array as long as the boxes are the same: rows are drawn again only when columns change. */
function useStableBoxes(items: Box[]): Box[] {
  const key = items.map((i) => `${i.index}:${i.start}:${i.size}`).join();
  const [held, setHeld] = useState<{ key: string; boxes: Box[] }>({ key: "", boxes: [] });
  if (held.key === key) return held.boxes;
  const boxes = items.map(({ index, start, size }) => ({ index, start, size }));
  setHeld({ key, boxes });
  return boxes;
}
