import { readable } from "./money.ts";

export interface Item {
  title: string;
  cents: number;
}

/** A line for each item and one for the sum. */
export function receipt(items: readonly Item[]): string {
  const sum = items.reduce((cents, item) => cents + item.cents, 0);
  return [...items.map((item) => `${item.title} ${readable(item.cents)}`), `Sum ${readable(sum)}`].join("\n");
}
