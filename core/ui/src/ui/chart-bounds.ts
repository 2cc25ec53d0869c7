// What of many points a chart draws, and the words that say so: a picture of thousands of bars shows nothing, and a
// silent cut shows something untrue.
import { formatNumber, plural } from "./format";
import type { ChartKind, ChartPoint } from "./chart";

export type Bounded = { points: ChartPoint[]; words: string };

export const MOST_BARS = 40;
export const MOST_SERIES = 8;
export const MOST_POINTS = 2000;

export function boundPoints(kind: ChartKind, given: ChartPoint[]): Bounded {
  const finite = given.filter((p) => Number.isFinite(p.y) && (kind === "bar" || typeof p.x === "string" || Number.isFinite(p.x)));
  const left = given.length - finite.length;
  const words = left ? [`${plural(left, "point")} without a number ${left === 1 ? "is" : "are"} left out.`] : [];
  const kept = largestSeries(finite, words);
  const points = kind === "bar" ? largestBars(summed(kept, words), words) : kind === "line" ? extremes(inOrder(kept), words) : evenly(kept, words);
  return { points, words: words.join(" ") };
}

/** Points of one place and series become one bar, their sum. */
function summed(points: ChartPoint[], words: string[]): ChartPoint[] {
  const bars = new Map<string, ChartPoint>();
  for (const point of points) {
    const key = JSON.stringify([point.x, point.series]);
    const held = bars.get(key);
    if (held) held.y += point.y;
    else bars.set(key, { ...point });
  }
  if (bars.size < points.length) words.push(`${plural(points.length, "row")} ${points.length === 1 ? "is" : "are"} added up into ${plural(bars.size, "bar")}.`);
  return [...bars.values()];
}

/** The places with the most in them, the largest first; where all of them fit, as they come. */
function largestBars(points: ChartPoint[], words: string[]): ChartPoint[] {
  const sizes = new Map<string, number>();
  for (const { x, y } of points) sizes.set(String(x), (sizes.get(String(x)) ?? 0) + Math.abs(y));
  if (sizes.size <= MOST_BARS) return points;
  const order = new Map([...sizes].sort((a, b) => b[1] - a[1]).slice(0, MOST_BARS).map(([x], i) => [x, i]));
  const drawn = points.filter((p) => order.has(String(p.x)));
  const rest = points.reduce((sum, p) => sum + (order.has(String(p.x)) ? 0 : p.y), 0);
  words.push(`The ${MOST_BARS} largest of ${formatNumber(sizes.size)} are drawn; the other ${formatNumber(sizes.size - MOST_BARS)} add up to ${formatNumber(rest, 4)}.`);
  return drawn.sort((a, b) => (order.get(String(a.x)) ?? 0) - (order.get(String(b.x)) ?? 0));
}

/** As many series as there are colours: those with the most in them. */
function largestSeries(points: ChartPoint[], words: string[]): ChartPoint[] {
  const sizes = new Map<string, number>();
  for (const { series = "", y } of points) sizes.set(series, (sizes.get(series) ?? 0) + Math.abs(y));
  if (sizes.size <= MOST_SERIES) return points;
  const kept = new Set([...sizes].sort((a, b) => b[1] - a[1]).slice(0, MOST_SERIES).map(([name]) => name));
  words.push(`The ${MOST_SERIES} largest of ${formatNumber(sizes.size)} series are drawn.`);
  return points.filter((p) => kept.has(p.series ?? ""));
}

const DATED = /^-?\d{4,}-\d\d-\d\d/;

/** A line goes one way: numbers and dates in their order, other names as they come. */
function inOrder(points: ChartPoint[]): ChartPoint[] {
  if (points.every((p) => typeof p.x === "number")) return [...points].sort((a, b) => Number(a.x) - Number(b.x));
  if (!points.every((p) => DATED.test(String(p.x)))) return points;
  return [...points].sort((a, b) => (String(a.x) < String(b.x) ? -1 : String(a.x) > String(b.x) ? 1 : 0));
}

/** Of each stretch of a line, its least and its greatest: no peak is lost. */
function extremes(points: ChartPoint[], words: string[]): ChartPoint[] {
  if (points.length <= MOST_POINTS) return points;
  const lines = new Map<string, ChartPoint[]>();
  for (const point of points) {
    const line = lines.get(point.series ?? "");
    if (line) line.push(point);
    else lines.set(point.series ?? "", [point]);
  }
  const stretches = Math.floor(MOST_POINTS / lines.size / 2);
  const drawn = [...lines.values()].flatMap((line) => {
    if (line.length <= stretches * 2) return line;
    return Array.from({ length: stretches }, (_, i) => line.slice(Math.floor((i * line.length) / stretches), Math.floor(((i + 1) * line.length) / stretches))).flatMap(leastAndGreatest);
  });
  words.push(`${formatNumber(drawn.length)} of ${plural(points.length, "point")} are drawn: the least and the greatest of each stretch.`);
  return drawn;
}

function leastAndGreatest(stretch: ChartPoint[]): ChartPoint[] {
  let [least, greatest] = [0, 0];
  stretch.forEach(({ y }, i) => {
    if (y < (stretch[least]?.y ?? y)) least = i;
    if (y > (stretch[greatest]?.y ?? y)) greatest = i;
  });
  const both = [...new Set([least, greatest])].sort((a, b) => a - b);
  return both.flatMap((i) => stretch[i] ?? []);
}

/** Points spread evenly over all of them. */
function evenly(points: ChartPoint[], words: string[]): ChartPoint[] {
  if (points.length <= MOST_POINTS) return points;
  words.push(`${formatNumber(MOST_POINTS)} of ${plural(points.length, "point")} are drawn, spread evenly over them.`);
  return Array.from({ length: MOST_POINTS }, (_, i) => points[Math.floor((i * points.length) / MOST_POINTS)] as ChartPoint);
}
