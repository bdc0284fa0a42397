/** Addresses of PostgreSQL inside of longer texts: arguments, scripts, files. */
import { type Dsn, parseDsn } from './dsn.ts';

const URL_IN_TEXT = /(?:jdbc:|r2dbc:)?(?:postgres|postgresql|postgis|pgsql)(?:\+[a-z0-9_]+)?:\/\/[^\s"'`<>\\]+/gi;

/** DSN URLs inside a longer text, or the whole text as a key/value DSN (after an optional `--flag=`). */
export function dsnsIn(text: string): { start: number; end: number; dsn: Dsn }[] {
  const found: { start: number; end: number; dsn: Dsn }[] = [];
  for (const match of text.matchAll(URL_IN_TEXT)) {
    const url = match[0].replace(/[,;.)\]}]+$/, (tail) =>
      tail.startsWith(')') && match[0].includes('$(') ? tail : '',
    );
    const dsn = parseDsn(url);
    if (dsn) found.push({ start: match.index, end: match.index + url.length, dsn });
  }
  if (found.length === 0) {
    const flag = /^--?[\w-]+=(?=\w+\s*=)/.exec(text);
    const start = flag ? flag[0].length : 0;
    const dsn = parseDsn(text.slice(start));
    if (dsn) found.push({ start, end: text.length, dsn });
  }
  return found;
}
