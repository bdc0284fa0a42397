/** Text that acts on whoever shows it: on a terminal, a clipboard, a spreadsheet, a browser, a reader's eyes. */
export const MARK = 'hostile-7f3a';
export const OSC52 = `\u001b]52;c;${Buffer.from(MARK).toString('base64')}\u0007`;
const TITLE = '\u001b]0;title of mine\u0007';

/** For log lines, events, messages, statements. The last is a line of 1 MB. */
export const LINES: readonly string[] = [
  `FATAL ${MARK} ${OSC52} clipboard`,
  `error ${MARK} \u001b[2J\u001b[1;1H\u001b[38;5;199mcoloured${TITLE}`,
  `error ${MARK} \u202edesrever\u202c zero\u200bwidth \u009b31m \u2066isolate\u2069`,
  `error ${MARK} \u001bP+q544e\u001b\\ \u001b_Gi=1;AAAA\u001b\\ \u001b^private\u001b\\`,
  `error ${MARK} <script>alert(1)</script> [a](javascript:alert(1)) \`\`\``,
  `=HYPERLINK("http://${MARK}";"error")`,
  `error ${MARK} a;=cmd|'/c calc'!A1\t=2+2`,
  `error ${MARK} ${Buffer.from([0xff, 0xfe, 0xc3, 0x28]).toString('latin1')} \ud800`,
  `error ${MARK} ${'A'.repeat(1_000_000)}`,
];

/** Short enough for a name. */
export const NAME = `${MARK}${OSC52}\u202e<b>\u001b[38;5;199m`;

/** Control characters other than line feed and tab, C1 controls, bidirectional and zero-width ones. */
export const ACTS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;
