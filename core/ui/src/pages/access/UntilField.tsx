// Until when something is given: one of a few lengths, for good, or the end of a day.
import { Select, TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { DURATIONS } from "../../ui/access-words";
import { formatUtc } from "../../ui/format";
import { dateField, endOfDay, inDays } from "./words";

const DAY_SECONDS = 86_400;
const KEEP = "keep";
const GOOD = "good";
const DATE = "date";

export type Until = {
  choice: string;
  date: string;
  kept: string | null | undefined;
  changed: boolean;
  /** What was chosen, for telling one choice from another. */
  key: string;
  /** The moment as the API wants it; null for good, undefined while no day is chosen. */
  at: string | null | undefined;
  choose: (choice: string) => void;
  chooseDate: (date: string) => void;
};

/** The state of an `UntilField`. `kept` is the present end (null: none) of what is changed; undefined for something new. */
export function useUntil(kept?: string | null): Until {
  const [choice, choose] = useState(kept === undefined ? GOOD : KEEP);
  const [date, chooseDate] = useState(() => dateField(30));
  const at = (): string | null | undefined => {
    if (choice === KEEP) return kept;
    if (choice === GOOD) return null;
    return choice === DATE ? endOfDay(date) : inDays(Number(choice) / DAY_SECONDS);
  };
  return { choice, date, kept, changed: choice !== KEEP, key: choice === DATE ? date : choice, at: at(), choose, chooseDate };
}

export function UntilField({ until, error }: { until: Until; error?: string }): ReactElement {
  const { kept } = until;
  const data = [
    ...(kept === undefined ? [] : [{ value: KEEP, label: kept === null ? "For good, as it is" : `As it is: ${formatUtc(new Date(kept))}` }]),
    ...DURATIONS.filter((d) => d.value !== "").map((d) => ({ value: d.value, label: `For ${d.label} from now` })),
    { value: DATE, label: "Until a day" },
    ...(kept === null ? [] : [{ value: GOOD, label: "For good" }]),
  ];
  return (
    <div className="until">
      <Select label="Until" data={data} value={until.choice} onChange={(value) => until.choose(value ?? GOOD)} allowDeselect={false} error={until.choice === DATE ? undefined : error} />
      {until.choice === DATE ? (
        <TextInput type="date" label="Last day" value={until.date} min={dateField(0)} error={error} onChange={(e) => until.chooseDate(e.currentTarget.value)} />
      ) : null}
    </div>
  );
}
