/** Passwords that are easy to find again, and the search for them in every form a careless hand gives them. */

/** Quotes, blanks, URL and shell characters, letters beyond ASCII: what a shell, a URL or a conninfo trips over. */
const AWKWARD = ` p@ss/w0rd%41"'$(x)\`{}&é\\:#?`;

export interface Canary {
  readonly role: string;
  readonly admin: string;
  readonly stats: string;
}

export const CANARY: Canary = {
  role: `Kanari9role${AWKWARD}`,
  admin: `Kanari9admin${AWKWARD}`,
  stats: `Kanari9stats${AWKWARD}`,
};

/** The part that survives every encoding but base64, and the base64 of it at each of the three alignments. */
const MARKS = ['Kanari9role', 'Kanari9admin', 'Kanari9stats'];
const base64Marks = MARKS.flatMap((mark) =>
  [0, 1, 2].map((shift) => {
    // The first and last group also hold bits of the neighbours: they are left out.
    const text = Buffer.from(`${'\0'.repeat(shift)}${mark}`).toString('base64');
    return text.slice(shift === 0 ? 0 : 4, Math.floor(((mark.length + shift) * 8) / 6 / 4) * 4);
  }),
);
const hex = MARKS.map((mark) => Buffer.from(mark).toString('hex'));
/** The awkward part alone, in case something cut the password in two. */
const pieces = [AWKWARD.trim(), encodeURIComponent(AWKWARD.trim()), JSON.stringify(AWKWARD.trim()).slice(1, -1)];
const NEEDLES = [
  ...MARKS,
  ...base64Marks,
  ...base64Marks.map((one) => one.replaceAll('+', '-').replaceAll('/', '_')),
  ...hex,
  ...pieces,
];

/** The forms in which a canary is in this text. */
export function canariesIn(text: string): string[] {
  return NEEDLES.filter((needle) => text.includes(needle));
}

/** Forms searched for; for the count in the report. */
export const CANARY_FORMS = new Set(NEEDLES).size;
