/**
 * What may be seen of a manifest: a copy of its text with passwords as dots, line by line as before. A diff shows the
 * neighbours of a change too, and a manifest may hold anything.
 */
import { isMap, isScalar, visit } from 'yaml';
import { maskDsn, parseDsn } from '../kube/dsn.ts';
import { MASK, scrub } from '../secret.ts';
import { ownPair, type Parsed } from './documents.ts';

/** A value for people: an address keeps everything but its password. */
export function shownValue(text: string): string {
  const dsn = parseDsn(text);
  return dsn ? maskDsn(dsn) : scrub(text);
}

const LITTLE = /^[A-Za-z0-9._-]{1,63}$/;
const ADDRESS_NAME = /HOST|PORT|ADDR|SERVER/i;

/**
 * The whole text masked. Literals of variables are nobody's business here, unless they are addresses; data of a Secret
 * never is shown.
 */
export function maskedText(parsed: Parsed): string {
  const hidden: { start: number; end: number; shown: string }[] = [];
  const hide = (node: unknown, shown: (value: string) => string) => {
    if (!isScalar(node) || !node.range) return;
    const source = parsed.text.slice(node.range[0], node.range[1]);
    const value = node.value === null ? '' : String(node.value);
    const now = shown(value);
    if (now === value) return;
    // An address is masked inside its quotes when it stands there as it is.
    const inPlace = source.includes(value) && value !== '' ? source.replace(value, () => now) : inLines(source);
    hidden.push({ start: node.range[0], end: node.range[1], shown: inPlace });
  };
  for (const document of parsed.documents) {
    visit(document, {
      Map(_, map) {
        const kind = ownPair(map, 'kind')?.value;
        if (isScalar(kind) && kind.value === 'Secret') {
          for (const field of ['data', 'stringData']) {
            const data = ownPair(map, field)?.value;
            if (isMap(data)) for (const one of data.items) hide(one.value, () => MASK);
          }
        }
        const name = ownPair(map, 'name')?.value;
        const value = ownPair(map, 'value')?.value;
        if (!isScalar(name) || !isScalar(value)) return;
        hide(value, (text) => {
          if (parseDsn(text)) return shownValue(text);
          return ADDRESS_NAME.test(String(name.value)) && LITTLE.test(text.replace(/:\d+$/, '')) ? text : MASK;
        });
      },
      Scalar(key, node) {
        // A text of several lines is looked at line by line below.
        if (key !== 'key' && typeof node.value === 'string' && !node.value.includes('\n')) hide(node, shownValue);
      },
    });
  }
  let out = parsed.text;
  const taken = new Set<number>();
  for (const { start, end, shown } of hidden.sort((a, b) => b.start - a.start)) {
    // The first word about a place is the stricter one.
    if (taken.has(start)) continue;
    taken.add(start);
    out = out.slice(0, start) + shown + out.slice(end);
  }
  return out
    .split('\n')
    .map((line) => scrub(line))
    .join('\n');
}

/** Dots for every line of a value, so that the lines below it keep their numbers. */
function inLines(source: string): string {
  const quote = /^["']/.exec(source)?.[0] ?? '';
  const lines = source.split('\n');
  if (lines.length === 1) return `${quote}${MASK}${quote}`;
  return lines.map((line) => line.replace(/\S.*?(\r?)$/, `${MASK}$1`)).join('\n');
}
