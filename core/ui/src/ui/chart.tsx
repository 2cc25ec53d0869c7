// A small chart in SVG: bars, lines or points over one axis; the same figures as a table for who cannot see it.
import { useId, useMemo, useState, type MouseEvent, type ReactElement } from "react";
import { boundPoints } from "./chart-bounds";
import { formatNumber, plural } from "./format";
import { useWidth } from "./size";
import "./chart.css";

export type ChartKind = "bar" | "line" | "scatter";
export type ChartPoint = { x: string | number; y: number; series?: string };
type Props = { label: string; kind: ChartKind; points: ChartPoint[]; unit?: string; height?: number; xLabel?: string; yLabel?: string };

const LEFT = 64;
const BOTTOM = 44;
const TOP = 12;
/** Lines of the table below. */
const MOST_LINES = 200;
/** Up to so many, each point of a line has its dot. */
const DOTTED = 120;

/** Round steps for an axis: at most `count` of them between the bounds. */
export function ticks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw) ?? raw;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step + 1.0001) }, (_, i) => Number((first + i * step).toPrecision(12)));
}

export function Chart({ label, kind, points, unit, height = 280, xLabel, yLabel }: Props): ReactElement {
  const id = useId();
  const [figure, width] = useWidth<HTMLElement>(860);
  const [hover, setHover] = useState<ChartPoint | null>(null);
  const { points: shown, words } = useMemo(() => boundPoints(kind, points), [kind, points]);
  const series = useMemo(() => [...new Set(shown.map((p) => p.series ?? ""))], [shown]);
  const names = useMemo(() => [...new Set(shown.map((p) => String(p.x)))], [shown]);
  const places = useMemo(() => new Map(names.map((name, i) => [name, i])), [names]);
  if (shown.length === 0) return <p className="table-empty t2">No figures to draw.</p>;

  const low = Math.min(...shown.map((p) => p.y), kind === "scatter" ? Infinity : 0);
  const high = Math.max(...shown.map((p) => p.y), kind === "scatter" ? -Infinity : 0);
  const span = high - low || 1;
  const y = (value: number): number => TOP + (1 - (value - low) / span) * (height - TOP - BOTTOM);
  const numericX = kind !== "bar" && shown.every((p) => typeof p.x === "number");
  const xs = shown.map((p) => Number(p.x));
  const lowX = Math.min(...xs);
  const spanX = Math.max(...xs) - lowX || 1;
  const plot = Math.max(40, width - LEFT - 8);
  const x = (point: ChartPoint): number =>
    numericX ? LEFT + ((Number(point.x) - lowX) / spanX) * plot : LEFT + (((places.get(String(point.x)) ?? 0) + 0.5) / names.length) * plot;
  const colour = (point: ChartPoint): string => `var(--c${(series.indexOf(point.series ?? "") % 8) + 1})`;
  const band = plot / names.length;
  const bar = Math.max(1, (band * 0.7) / series.length);
  const near = (event: MouseEvent<SVGSVGElement>): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const away = (p: ChartPoint): number => (x(p) - left) ** 2 + (kind === "line" ? 0.01 : 1) * (y(p.y) - top) ** 2;
    setHover(shown.reduce((best, p) => (away(p) < away(best) ? p : best)));
  };
  const every = Math.ceil(names.length / Math.max(1, Math.floor(plot / 92)));

  return (
    <figure ref={figure} className="chart" aria-labelledby={id}>
      <figcaption id={id} className="visually-hidden">
        {label}: {plural(shown.length, kind === "bar" ? "bar" : "point")}, from {formatNumber(low)} to {formatNumber(high)} {unit}
      </figcaption>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the pointer only repeats what the table says */}
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} onMouseLeave={() => setHover(null)} onMouseMove={kind === "bar" ? undefined : near}>
        {ticks(low, high).map((tick) => (
          <g key={tick}>
            <line x1={LEFT} x2={width - 8} y1={y(tick)} y2={y(tick)} className="chart-line" />
            <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end">
              {formatNumber(tick)}
            </text>
          </g>
        ))}
        {numericX
          ? ticks(lowX, lowX + spanX, Math.max(2, Math.floor(plot / 90))).map((tick) => (
              <text key={tick} x={LEFT + ((tick - lowX) / spanX) * plot} y={height - BOTTOM + 18} textAnchor="middle">
                {formatNumber(tick)}
              </text>
            ))
          : names.map((name, i) =>
              i % every === 0 ? (
                <text key={name} x={LEFT + ((i + 0.5) / names.length) * plot} y={height - BOTTOM + 18} textAnchor="middle">
                  {name.length > 12 ? `${name.slice(0, 11)}…` : name}
                </text>
              ) : null,
            )}
        {xLabel ? <text x={LEFT + plot / 2} y={height - 6} textAnchor="middle">{xLabel}</text> : null}
        {kind === "line"
          ? series.map((name, i) => {
              const own = shown.filter((p) => (p.series ?? "") === name);
              const path = own.map((p, n) => `${n ? "L" : "M"}${x(p).toFixed(1)} ${y(p.y).toFixed(1)}`).join("");
              return <path key={name} d={path} fill="none" stroke={`var(--c${(i % 8) + 1})`} strokeWidth="2" />;
            })
          : null}
        {shown.map((point, i) =>
          kind === "bar" ? (
            <rect
              key={i}
              x={x(point) - (bar * series.length) / 2 + bar * series.indexOf(point.series ?? "")}
              y={Math.min(y(point.y), y(0))}
              width={Math.max(1, bar - 1)}
              rx={bar > 6 ? 1.5 : 0}
              height={Math.max(1, Math.abs(y(point.y) - y(0)))}
              fill={colour(point)}
              onMouseEnter={() => setHover(point)}
            />
          ) : kind === "line" && shown.length > DOTTED ? null : (
            <circle key={i} cx={x(point)} cy={y(point.y)} r={kind === "line" || shown.length > DOTTED ? 2.5 : 3.5} fillOpacity={kind === "scatter" && shown.length > DOTTED ? 0.6 : 1} fill={colour(point)} />
          ),
        )}
      </svg>
      <div className="chart-foot small">
        {series.length > 1
          ? series.slice(0, 8).map((name, i) => (
              <span key={name} className="row">
                <i className="chart-key" style={{ background: `var(--c${i + 1})` }} />
                {name}
              </span>
            ))
          : null}
        <span className="t3 grow">
          {hover ? `${hover.x}${hover.series ? `, ${hover.series}` : ""}: ${formatNumber(hover.y, 4)} ${unit ?? ""}` : yLabel ?? ""}
        </span>
      </div>
      {words ? <p className="small t2 chart-words">{words}</p> : null}
      <details className="small">
        <summary>As a table</summary>
        <table className="plain">
          <tbody>
            {shown.slice(0, MOST_LINES).map((p, i) => (
              <tr key={i}>
                <td>{String(p.x)}</td>
                {series.length > 1 ? <td>{p.series}</td> : null}
                <td className="num">{formatNumber(p.y, 6)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length > MOST_LINES ? <p className="t3">The first {MOST_LINES} of {formatNumber(shown.length)}.</p> : null}
      </details>
    </figure>
  );
}
