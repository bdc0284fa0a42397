// The figures, in the order of docs: name, unit, goal (not above), and how each is measured.
import { frameTimes, journalAppend, keyTimes } from './inside.mjs';
import { firstFrame, help } from './startup.mjs';

export const figures = [
  { name: 'startup.firstFrame', unit: 'x node -e 0', goal: 4, measure: firstFrame },
  { name: 'startup.help', unit: 'x node -e 0', goal: 2, measure: help },
  { name: 'frame.p95', unit: 'ms', goal: 30, measure: frameTimes },
  { name: 'key.p95', unit: 'ms', goal: 50, measure: keyTimes },
  { name: 'journal.append', unit: 'ms', goal: 10, measure: journalAppend },
];
