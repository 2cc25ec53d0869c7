import { formatNumber, Loaded, Table, useApi } from "@openlakes/ui";
import type { ReactElement } from "react";
import { paths } from "./client";

type Statistic = {
  name: string;
  type: string;
  nulls: number | null;
  distinct: number | null;
  least: string | null;
  greatest: string | null;
  mean: string | number | null;
};

/** What is in each column of the whole stored result, worked out on the server. */
export function ResultColumns({ queryId }: { queryId: string }): ReactElement {
  const statistics = useApi<{ items: Statistic[] }>(paths.statistics(queryId));
  const number = (value: number | null): string => (value === null ? "" : formatNumber(value, 4));
  return (
    <div className="sql-scroll">
      <Loaded query={statistics} rows={8}>
        {({ items }) => (
          <Table
            label="Columns of the result"
            rows={items}
            rowKey={(s) => s.name}
            columns={[
              { id: "name", label: "Column", value: (s) => s.name, render: (s) => <span className="b">{s.name}</span> },
              { id: "type", label: "Type", value: (s) => s.type, render: (s) => <span className="tag">{s.type}</span> },
              { id: "nulls", label: "NULL", numeric: true, value: (s) => s.nulls, render: (s) => number(s.nulls) },
              { id: "distinct", label: "Distinct, about", numeric: true, value: (s) => s.distinct, render: (s) => number(s.distinct) },
              { id: "least", label: "Least", value: (s) => s.least, render: (s) => <code>{s.least}</code> },
              { id: "greatest", label: "Greatest", value: (s) => s.greatest, render: (s) => <code>{s.greatest}</code> },
              { id: "mean", label: "Mean", numeric: true, value: (s) => s.mean, render: (s) => (s.mean === null ? "" : formatNumber(Number(s.mean), 4)) },
            ]}
          />
        )}
      </Loaded>
    </div>
  );
}
