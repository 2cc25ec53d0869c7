import { describe, expect, it } from "vitest";
import type { ChartPoint } from "../chart";
import { boundPoints, MOST_BARS, MOST_POINTS, MOST_SERIES } from "../chart-bounds";

const many = (count: number, point: (i: number) => ChartPoint): ChartPoint[] => Array.from({ length: count }, (_, i) => point(i));

describe("what a chart draws", () => {
  it("is everything where that is a picture, and then nothing is said", () => {
    const points = many(16, (i) => ({ x: `c${i}`, y: i }));
    expect(boundPoints("bar", points)).toEqual({ points, words: "" });
  });
  it("adds rows of one place up into one bar", () => {
    const { points, words } = boundPoints("bar", many(10_000, (i) => ({ x: i % 2 ? "odd" : "even", y: 1 })));
    expect(points).toEqual([{ x: "even", y: 5000 }, { x: "odd", y: 5000 }]);
    expect(words).toBe("10,000 rows are added up into 2 bars.");
  });
  it("keeps the largest bars, and says what the rest adds up to", () => {
    const { points, words } = boundPoints("bar", many(100, (i) => ({ x: `c${i}`, y: i })));
    expect(points).toHaveLength(MOST_BARS);
    expect(points[0]).toEqual({ x: "c99", y: 99 });
    expect(words).toBe("The 40 largest of 100 are drawn; the other 60 add up to 1,770.");
  });
  it("keeps as many series as there are colours", () => {
    const { points, words } = boundPoints("scatter", many(100, (i) => ({ x: i, y: i, series: `s${i % 10}` })));
    expect(new Set(points.map((p) => p.series)).size).toBe(MOST_SERIES);
    expect(words).toBe("The 8 largest of 10 series are drawn.");
  });
  it("keeps every peak of a long line, in order", () => {
    const { points, words } = boundPoints("line", many(50_000, (i) => ({ x: i, y: i === 31_415 ? 1000 : i === 27_182 ? -1000 : Math.sin(i) })));
    expect(points.length).toBeLessThanOrEqual(MOST_POINTS);
    expect([Math.max(...points.map((p) => p.y)), Math.min(...points.map((p) => p.y))]).toEqual([1000, -1000]);
    expect(points.map((p) => p.x)).toEqual(points.map((p) => p.x).sort((a, b) => Number(a) - Number(b)));
    expect(words).toMatch(/^2,000 of 50,000 points are drawn: the least and the greatest of each stretch\.$/);
  });
  it("draws a line one way along numbers and dates, and along names as they come", () => {
    const drawn = (...xs: (string | number)[]): (string | number)[] => boundPoints("line", xs.map((x) => ({ x, y: 1 }))).points.map((p) => p.x);
    expect(drawn(10, 9, 100)).toEqual([9, 10, 100]);
    expect(drawn("2013-01-02 05:00:00", "2013-01-01 06:00:00")).toEqual(["2013-01-01 06:00:00", "2013-01-02 05:00:00"]);
    expect(drawn("UA", "AA", "2013-01-01")).toEqual(["UA", "AA", "2013-01-01"]);
  });
  it("spreads points over all of them, not over the first", () => {
    const { points, words } = boundPoints("scatter", many(10_000, (i) => ({ x: i, y: i })));
    expect(points).toHaveLength(MOST_POINTS);
    expect(points.at(-1)?.x).toBe(9995);
    expect(words).toBe("2,000 of 10,000 points are drawn, spread evenly over them.");
  });
  it("says how many points have no number", () => {
    expect(boundPoints("line", [{ x: 1, y: Number.NaN }, { x: 2, y: 3 }])).toEqual({ points: [{ x: 2, y: 3 }], words: "1 point without a number is left out." });
  });
});
