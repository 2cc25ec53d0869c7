/** A colour as Monaco wants it: six digits after `#`; a minifier writes `#fff`. */
export function longHex(colour: string): string {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(colour.trim());
  return short ? `#${short.slice(1).map((digit) => digit + digit).join("")}` : colour.trim();
}
