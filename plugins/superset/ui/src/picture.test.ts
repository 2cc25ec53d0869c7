import { describe, expect, it } from "vitest";
import { framed, inShell, listing } from "./client";
import { heights, shapeOf } from "./picture";

describe("the picture of a thing", () => {
  it("tells kinds of charts apart by Superset's own words", () => {
    expect(shapeOf("dashboard", null)).toBe("tiles");
    expect(shapeOf("chart", "echarts_timeseries_bar")).toBe("bars");
    expect(shapeOf("chart", "echarts_timeseries_line")).toBe("line");
    expect(shapeOf("chart", "pie")).toBe("pie");
    expect(shapeOf("chart", "pivot_table_v2")).toBe("table");
    expect(shapeOf("chart", "big_number_total")).toBe("number");
    expect(shapeOf("chart", "deck_scatter")).toBe("map");
    expect(shapeOf("chart", "somebody's own")).toBe("bars");
  });

  it("is the same each time, another one for another thing, and never empty", () => {
    expect(heights(7, 9)).toEqual(heights(7, 9));
    expect(heights(7, 9)).not.toEqual(heights(8, 9));
    for (const id of [0, 1, 99_999]) for (const h of heights(id, 9)) expect(h >= 0.25 && h <= 1).toBe(true);
  });
});

describe("addresses", () => {
  const wanted = { search: "", mine: false, published: false, sort: "changed" as const, page: 0, limit: 24 };

  it("ask for what is wanted and nothing else", () => {
    expect(listing("dashboard", wanted)).toBe("/api/plugins/superset/dashboards?sort=changed&page=0&limit=24");
    expect(listing("chart", { ...wanted, published: true })).not.toContain("published");
    expect(listing("dashboard", { ...wanted, search: "a&b=c", published: true })).toContain("search=a%26b%3Dc&published=true");
  });

  it("of a framed thing keep its query", () => {
    expect(framed("http://superset.test", "/superset/dashboard/3/")).toBe("http://superset.test/superset/dashboard/3/?standalone=1");
    expect(framed("http://superset.test", "/explore/?slice_id=3")).toBe("http://superset.test/explore/?slice_id=3&standalone=1");
    expect(inShell("/sqllab/p/x")).toBe("/app/superset/sqllab/p/x");
  });
});
