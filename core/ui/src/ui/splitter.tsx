import { useCallback, useRef, type KeyboardEvent, type PointerEvent, type ReactElement } from "react";
import "./splitter.css";

type Props = {
  label: string;
  axis: "x" | "y";
  value: number;
  min: number;
  max: number;
  onChange: (value: number) => void;
};

/** A bar between two parts: dragged, or moved with the arrow keys. The page keeps the size. */
export function Splitter({ label, axis, value, min, max, onChange }: Props): ReactElement {
  const start = useRef<{ at: number; value: number } | null>(null);
  const clamp = useCallback((size: number) => Math.round(Math.min(max, Math.max(min, size))), [min, max]);
  const at = (event: PointerEvent): number => (axis === "x" ? event.clientX : event.clientY);
  const keys = (event: KeyboardEvent): void => {
    const step = event.shiftKey ? 64 : 16;
    const back = axis === "x" ? "ArrowLeft" : "ArrowUp";
    const on = axis === "x" ? "ArrowRight" : "ArrowDown";
    if (event.key !== back && event.key !== on) return;
    event.preventDefault();
    onChange(clamp(value + (event.key === on ? step : -step)));
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex, jsx-a11y/no-noninteractive-element-interactions -- WAI-ARIA: a focusable separator is a widget
    <div
      className="splitter"
      data-axis={axis}
      role="separator"
      aria-label={label}
      aria-orientation={axis === "x" ? "vertical" : "horizontal"}
      aria-valuenow={value}
      aria-valuemin={min}
      aria-valuemax={max}
      tabIndex={0}
      onKeyDown={keys}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { at: at(event), value };
      }}
      onPointerMove={(event) => {
        if (start.current) onChange(clamp(start.current.value + at(event) - start.current.at));
      }}
      onPointerUp={() => (start.current = null)}
    />
  );
}
