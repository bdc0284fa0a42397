/** The characters of frames. A module of its own that imports nothing: the measure of widths is built on top of it. */

/**
 * Text of which every code unit is one cell: ASCII, Latin, and the dashes, arrows, lines, blocks, shapes and dots that
 * frames are drawn with. Nearly every text is, and the real measure costs a hundred times as much. What could make an
 * emoji of one of them (a variation selector, a joiner) is not among them.
 */
export const SIMPLE_CELLS = String.raw`[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u21ff\u2200-\u22ff\u2500-\u25fc\u2713-\u2718\u276f\u2800-\u28ff]`;
