/**
 * Text of others in files that programs open: spreadsheets run formulas, browsers run markup, Markdown turns into it. The
 * journal's text is sanitised already (no controls, no bidi); this is about meaning, not about terminals.
 */

/** A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection); full-width forms included. */
const FORMULA = /^[\s'"]*[=+\-@\t\r\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}]/u;

/**
 * Where the list separator is a semicolon (most of Europe), or with another import setting, a spreadsheet splits a cell of
 * RFC 4180 in the middle: what follows must not begin a formula either.
 */
const INNER_FORMULA = /([;\t\r\n][\s"]*)(?=[=+\-@\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}])/gu;

/** One cell by RFC 4180. Text that a spreadsheet would run gets an apostrophe in front; numbers stay numbers. */
export function csvCell(value: string | number | boolean | undefined): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  const inside = value.replace(INNER_FORMULA, "$1'");
  const safe = FORMULA.test(inside) ? `'${inside}` : inside;
  return /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows with CRLF, as RFC 4180 wants them. */
export function csv(rows: readonly (readonly (string | number | boolean | undefined)[])[]): string {
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** For element text and quoted attributes. */
export function html(value: string | number | undefined): string {
  return String(value ?? '').replace(/[&<>"'`]/g, (character) => HTML[character]!);
}

/** Running text and table cells of Markdown: nothing in it becomes markup, a link, a mention or a new cell. */
export function markdown(value: string | number | undefined): string {
  return (
    String(value ?? '')
      .replace(/\s*[\r\n]+\s*/g, ' ')
      .replace(/[\\`*_{}[\]()<>#!|~&$^]/g, '\\$&')
      // What would begin a list, a rule, a heading underline or a quote at the start of a line.
      .replace(/^(\s*)([-+=>]|\d+(?=[.)]))/, (_, space: string, mark: string) =>
        /\d/.test(mark) ? `${space}${mark}\\` : `${space}\\${mark}`,
      )
      // Entities, so that no address becomes a link by itself.
      .replace(/\b(mailto|javascript|vbscript|data|file|[a-z][a-z0-9+.-]*(?=:\/\/)):/gi, '$1&#58;')
      .replace(/\bwww\./gi, (match) => `${match.slice(0, -1)}&#46;`)
      .replace(/(?<!\w)@|@(?=[\w-]+\.)/g, '&#64;')
  );
}

/** Verbatim lines of Markdown: a fence longer than any run of backticks inside. */
export function markdownCode(lines: readonly string[]): string {
  const text = lines.join('\n');
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
