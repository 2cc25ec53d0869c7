import { useState, type ReactElement } from "react";
import type { Thing } from "./client";
import { heights, shapeOf, type Shape } from "./picture";

/** Superset's own picture where it has one; otherwise a drawing of its kind. It says nothing that the title does not. */
export function Picture({ thing }: { thing: Thing }): ReactElement {
  const [gone, setGone] = useState(false);
  if (thing.thumbnail && !gone) return <img className="bi-picture" src={thing.thumbnail} alt="" loading="lazy" onError={() => setGone(true)} />;
  return (
    <svg className="bi-picture" viewBox="0 0 160 80" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
      <Drawn shape={shapeOf(thing.kind, thing.chart_type)} id={thing.id} />
    </svg>
  );
}

function Drawn({ shape, id }: { shape: Shape; id: number }): ReactElement {
  const h = heights(id, 9);
  const at = (i: number): number => h[i % h.length] ?? 0.5;
  switch (shape) {
    case "tiles":
      return (
        <g>
          <rect x="16" y="12" width="60" height="24" rx="2" className="bi-soft" />
          <rect x="84" y="12" width="60" height="24" rx="2" className="bi-soft" />
          <rect x="16" y="44" width="128" height="26" rx="2" className="bi-soft" />
          {h.slice(0, 6).map((v, i) => (
            <rect key={i} x={22 + i * 8.5} y={33 - v * 16} width="5" height={v * 16} className="bi-ink" />
          ))}
          <polyline points={h.map((v, i) => `${24 + i * 14},${66 - v * 18}`).join(" ")} className="bi-line" />
          <circle cx="114" cy="24" r="7" className="bi-dot" />
        </g>
      );
    case "line":
      return <polyline points={h.map((v, i) => `${16 + i * 16},${70 - v * 52}`).join(" ")} className="bi-line" />;
    case "pie":
      return (
        <g>
          <circle cx="80" cy="40" r="22" className="bi-ring" />
          <circle cx="80" cy="40" r="22" className="bi-slice" strokeDasharray={`${at(0) * 100} 200`} />
        </g>
      );
    case "table":
      return (
        <g>
          {[0, 1, 2, 3, 4].map((row) => (
            <g key={row}>
              <rect x="20" y={12 + row * 12} width={24 + at(row) * 20} height="5" rx="1" className={row === 0 ? "bi-ink" : "bi-soft"} />
              <rect x="72" y={12 + row * 12} width={16 + at(row + 1) * 16} height="5" rx="1" className={row === 0 ? "bi-ink" : "bi-soft"} />
              <rect x="112" y={12 + row * 12} width={12 + at(row + 2) * 16} height="5" rx="1" className={row === 0 ? "bi-ink" : "bi-soft"} />
            </g>
          ))}
        </g>
      );
    case "number":
      return (
        <text x="80" y="50" textAnchor="middle" className="bi-number">
          123
        </text>
      );
    case "map":
      return (
        <g>
          <circle cx="80" cy="40" r="26" className="bi-ring" />
          <ellipse cx="80" cy="40" rx="12" ry="26" className="bi-line" />
          <line x1="54" y1="40" x2="106" y2="40" className="bi-line" />
        </g>
      );
    default:
      return (
        <g>
          {h.map((v, i) => (
            <rect key={i} x={16 + i * 15} y={70 - v * 54} width="9" height={v * 54} className={i % 3 === 0 ? "bi-ink" : "bi-soft"} />
          ))}
        </g>
      );
  }
}
