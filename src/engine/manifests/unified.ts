/** Two texts as `diff -u` compares them: by lines, the shortest way (Myers, "An O(ND) Difference Algorithm", 1986). */

const CONTEXT = 3;

interface Step {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** Lines of a unified diff with its two headings; empty when nothing differs. */
export function unifiedDiff(path: string, before: string, after: string): string[] {
  const steps = compare(linesOf(before), linesOf(after));
  if (steps.every((one) => one.sign === ' ')) return [];
  const out = [`--- a/${path}`, `+++ b/${path}`];
  for (const [from, to] of hunks(steps)) {
    const before = steps.slice(0, from);
    const part = steps.slice(from, to);
    const count = (list: readonly Step[], sign: '-' | '+') =>
      list.filter((one) => one.sign === ' ' || one.sign === sign).length;
    const range = (sign: '-' | '+') => {
      const length = count(part, sign);
      const start = count(before, sign) + (length === 0 ? 0 : 1);
      return length === 1 ? String(start) : `${start},${length}`;
    };
    out.push(`@@ -${range('-')} +${range('+')} @@`);
    for (const { sign, text } of part) {
      if (text.endsWith('\n')) out.push(sign + text.slice(0, -1).replace(/\r$/, ''));
      else out.push(sign + text, '\\ No newline at end of file');
    }
  }
  return out;
}

/** Each with its line feed. */
const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** Stretches of steps around the changes, as [from, to). */
function hunks(steps: readonly Step[]): [number, number][] {
  const found: [number, number][] = [];
  for (const [index, step] of steps.entries()) {
    if (step.sign === ' ') continue;
    const last = found.at(-1);
    const from = Math.max(0, index - CONTEXT);
    const to = Math.min(steps.length, index + CONTEXT + 1);
    if (last && from <= last[1]) last[1] = to;
    else found.push([from, to]);
  }
  return found;
}

function compare(a: readonly string[], b: readonly string[]): Step[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const kept = (lines: readonly string[]): Step[] => lines.map((text) => ({ sign: ' ', text }));
  return [
    ...kept(a.slice(0, head)),
    ...shortest(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...kept(tail === 0 ? [] : a.slice(-tail)),
  ];
}

function shortest(a: readonly string[], b: readonly string[]): Step[] {
  const trail: Map<number, number>[] = [];
  let reach = new Map<number, number>([[1, 0]]);
  const most = a.length + b.length;
  search: for (let depth = 0; depth <= most; depth++) {
    trail.push(new Map(reach));
    const next = new Map(reach);
    for (let k = -depth; k <= depth; k += 2) {
      const down = k === -depth || (k !== depth && (next.get(k - 1) ?? -1) < (next.get(k + 1) ?? -1));
      let x = down ? (next.get(k + 1) ?? 0) : (next.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) break search;
    }
    reach = next;
  }
  const steps: Step[] = [];
  let x = a.length;
  let y = b.length;
  for (let depth = trail.length - 1; depth >= 0; depth--) {
    const at = trail[depth]!;
    const k = x - y;
    const down = k === -depth || (k !== depth && (at.get(k - 1) ?? -1) < (at.get(k + 1) ?? -1));
    const from = down ? k + 1 : k - 1;
    const fromX = depth === 0 ? 0 : (at.get(from) ?? 0);
    const fromY = depth === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY && x > 0 && y > 0 && a[x - 1] === b[y - 1]) {
      steps.push({ sign: ' ', text: a[x - 1]! });
      x -= 1;
      y -= 1;
    }
    if (depth === 0) break;
    if (down) steps.push({ sign: '+', text: b[y - 1]! });
    else steps.push({ sign: '-', text: a[x - 1]! });
    x = fromX;
    y = fromY;
  }
  return steps.reverse();
}
