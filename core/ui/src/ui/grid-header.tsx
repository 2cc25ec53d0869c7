import { useRef, type ReactElement, type PointerEvent as ReactPointerEvent } from "react";
import type { Box, GridColumn } from "./grid";

const LEAST_WIDTH = 48;

/** A heading: name and type; a click tells the page (which sorts), the right edge changes the width. */
export function HeaderCell({ box, offset, column, onHeader, onWidth }: {
  box: Box;
  /** Width of the row numbers, which stand before the first column. */
  offset: number;
  column: GridColumn;
  onHeader?: (column: number) => void;
  onWidth: (size: number | null) => void;
}): ReactElement {
  const start = useRef<{ x: number; width: number } | null>(null);
  const move = (event: ReactPointerEvent): void => {
    if (start.current) onWidth(Math.max(LEAST_WIDTH, start.current.width + event.clientX - start.current.x));
  };
  const words = (
    <>
      <span className="grid-name">
        {column.name}
        {column.sorted ? <span aria-hidden="true">{column.sorted === "asc" ? " ↑" : " ↓"}</span> : null}
      </span>
      <span className="grid-type">{column.type}</span>
    </>
  );
  const title = `${column.name} ${column.type ?? ""}`.trim();
  return (
    // oxlint-disable-next-line jsx-a11y/control-has-associated-label -- the words are inside
    <div
      role="columnheader"
      aria-colindex={box.index + 2}
      aria-sort={column.sorted === "asc" ? "ascending" : column.sorted === "desc" ? "descending" : undefined}
      className="grid-header"
      data-numeric={column.numeric || undefined}
      style={{ left: box.start + offset, width: box.size }}
    >
      {onHeader ? (
        <button type="button" tabIndex={-1} onClick={() => onHeader(box.index)} title={title}>
          {words}
        </button>
      ) : (
        <div className="grid-heading" title={title}>
          {words}
        </div>
      )}
      <span
        className="grid-resize"
        aria-hidden="true"
        onDoubleClick={() => onWidth(null)}
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
