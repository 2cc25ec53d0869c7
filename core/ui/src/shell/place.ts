import type { NavItem } from "../ui/session";

/** The line of the navigation that a page belongs to: the one with the longest path that leads to it. */
export function placeOf(pathname: string, nav: NavItem[]): NavItem | undefined {
  return nav
    .filter(({ path }) => pathname === path || (path !== "/" && pathname.startsWith(`${path}/`)))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

/** Where `g` and a letter go: h is Home, s is SQL; others are the first page whose name begins with the letter. */
export function goTo(letter: string, nav: NavItem[]): string | undefined {
  if (letter === "h") return "/";
  const sql = nav.find((item) => item.label === "SQL");
  if (letter === "s" && sql) return sql.path;
  return nav.find((item) => item.label.toLowerCase().startsWith(letter))?.path;
}
