// Choosing somebody who has signed in: found on the server, by user name, name or address.
import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState, type ReactElement } from "react";
import { useApi } from "../../ui/api";
import type { Page, User } from "./shapes";

type Props = { label: string; value: string; onChange: (username: string) => void; description?: string; error?: string; without?: string };

export function PersonSelect({ label, value, onChange, description, error, without }: Props): ReactElement {
  const [text, setText] = useState(value);
  const [wanted] = useDebouncedValue(text.trim(), 150);
  // What is chosen stands in the field: that is not a search for it.
  const found = useApi<Page<User>>(`/api/users?limit=20${wanted && wanted !== value ? `&q=${encodeURIComponent(wanted)}` : ""}`);
  const people = (found.data?.items ?? []).filter((u) => u.username !== without);
  const names = people.map((u) => u.username);
  const options = value && !names.includes(value) ? [value, ...names] : names;
  return (
    <Select
      label={label}
      description={description}
      error={error}
      searchable
      placeholder="Find somebody"
      nothingFoundMessage={found.isFetching ? "Looking" : "Nobody of that name has signed in here"}
      data={options}
      // The server has found them, also by what is not in the label.
      filter={({ options: all }) => all}
      renderOption={({ option }) => {
        const person = people.find((u) => u.username === option.value);
        return (
          <span className="person-cell">
            <span>{person?.name ?? option.value}</span>
            <span className="small t3">{option.value}</span>
          </span>
        );
      }}
      value={value || null}
      searchValue={text}
      onSearchChange={setText}
      onChange={(username) => onChange(username ?? "")}
    />
  );
}
