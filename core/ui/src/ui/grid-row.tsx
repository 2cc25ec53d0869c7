import { memo, type MouseEvent, type ReactElement, type ReactNode } from "react";
import type { Box, CellText, GridColumn } from "./grid";

const LONGEST = 300;

export type RowProps = {
  id: string;
  row: number;
  top: number;
  width: number;
  boxes: Box[];
  /** Width of the row numbers. */
  offset: number;
  columns: GridColumn[];
  /** The active column when it is in this row, else -1; then the columns of the selection in this row. */
  active: number;
  from: number;
  to: number;
  cell: (row: number, column: number) => CellText | undefined;
  renderCell?: (text: CellText, row: number, column: number) => ReactNode;
  /** Not read: a new number draws the row again. */
  version: number;
  onPick: (row: number, column: number, extend: boolean) => void;
  onOpen?: (row: number, column: number) => void;
};

/** A row of the grid. Cells that are not there yet are a light bar; NULL is unlike an empty text. */
export const GridRow = memo(function GridRow({ id, row, top, width, boxes, offset, columns, active, from, to, cell, renderCell, onPick, onOpen }: RowProps): ReactElement {
  return (
    <div role="row" aria-rowindex={row + 2} className="grid-row" style={{ transform: `translateY(${top}px)`, width }}>
      <div role="rowheader" aria-colindex={1} className="grid-number" style={{ width: offset }}>
        {row + 1}
      </div>
      {boxes.map((box) => {
        const text = cell(row, box.index);
        return (
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the grid has the focus (aria-activedescendant) and the keys
          <div
            key={box.index}
            id={`${id}-${row}-${box.index}`}
            role="gridcell"
            aria-colindex={box.index + 2}
            aria-selected={box.index >= from && box.index <= to}
            className="grid-cell"
            data-numeric={columns[box.index]?.numeric || undefined}
            data-null={text === null || undefined}
            data-empty={text === "" || undefined}
            data-waiting={text === undefined || undefined}
            data-active={active === box.index || undefined}
            style={{ left: box.start + offset, width: box.size }}
            onClick={(event: MouseEvent) => onPick(row, box.index, event.shiftKey)}
            onDoubleClick={onOpen ? () => onOpen(row, box.index) : undefined}
          >
            {text === undefined ? "" : renderCell ? renderCell(text, row, box.index) : plain(text)}
          </div>
        );
      })}
    </div>
  );
});

const plain = (text: CellText): string => (text === null ? "NULL" : text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
