// What is drawn where there is no picture of a dashboard or chart: its kind, told apart at a glance, the same each time.
export type Shape = "bars" | "line" | "pie" | "table" | "number" | "map" | "tiles";

const WORDS: [RegExp, Shape][] = [
  [/pie|donut|sunburst|treemap|radar|gauge/, "pie"],
  [/table|pivot|grid/, "table"],
  [/big_number|number/, "number"],
  [/deck|map|country|geo/, "map"],
  [/bar|hist|waterfall|funnel|box/, "bars"],
  [/line|area|smooth|step|time|scatter|bubble/, "line"],
];

/** The shape of a chart's type, in Superset's words (`echarts_timeseries_bar`); a dashboard is tiles. */
export function shapeOf(kind: "dashboard" | "chart", chartType: string | null): Shape {
  if (kind === "dashboard") return "tiles";
  return WORDS.find(([pattern]) => pattern.test(chartType ?? ""))?.[1] ?? "bars";
}

/** Heights between 0.25 and 1, always the same for the same thing: a card is known again by its picture. */
export function heights(id: number, count: number): number[] {
  let seed = (id * 2654435761) >>> 0;
  return Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return 0.25 + 0.75 * (seed / 0xffffffff);
  });
}
