import { useMantineColorScheme } from "@mantine/core";
import { useEffect } from "react";
import { usePreference } from "../ui/preferences";

/** Applies the theme that the person chose (system by default) to the page and to Mantine alike. */
export function ThemeSwitch(): null {
  const chosen = usePreference("theme", "system");
  const { setColorScheme } = useMantineColorScheme();
  useEffect(() => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const apply = (): void => {
      const dark = chosen === "dark" || (chosen !== "light" && system.matches);
      document.documentElement.dataset["theme"] = dark ? "dark" : "light";
      setColorScheme(dark ? "dark" : "light");
    };
    apply();
    system.addEventListener("change", apply);
    return () => system.removeEventListener("change", apply);
  }, [chosen, setColorScheme]);
  return null;
}
