import { Int64, Table, vectorFromArray } from "apache-arrow";
import { expect, it } from "vitest";
import { ArrowRows } from "./arrow";
import { buildIndex } from "./view";

it("sorts 64-bit integers by every digit, NULL last either way", async () => {
  const rows = new ArrowRows();
  for (const batch of new Table({ n: vectorFromArray([9007199254740993n, null, 9007199254740992n, 9007199254740994n], new Int64()) }).batches) rows.push(batch);
  const sorted = async (descending: boolean): Promise<number[]> => [...((await buildIndex(rows, { column: 0, descending }, "", () => false)) ?? [])];
  expect(await sorted(false)).toEqual([2, 0, 3, 1]);
  expect(await sorted(true)).toEqual([3, 0, 2, 1]);
});
