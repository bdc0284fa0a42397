// The figures, in the order of docs: name, unit, goal (not above), and how each is measured. `long`: only a process that has
// settled shows it; in a quick bench it is measured and not judged.

import { discovery } from './cluster.mjs';
import { frameTimes, idleBytes, journalAppend, keyTimes } from './inside.mjs';
import { liveBytes, memoryPeak, memorySlope, refreshCpu } from './live.mjs';
import { callsPerService, migrate16, migrate200, resume16, rolloutVerdict } from './run.mjs';
import { firstFrame, help } from './startup.mjs';

export const figures = [
  { name: 'startup.firstFrame', unit: 'x node -e 0', goal: 4, measure: firstFrame },
  { name: 'startup.help', unit: 'x node -e 0', goal: 2, measure: help },
  { name: 'refresh.bytes', unit: 'B/s', goal: 1500, measure: idleBytes },
  { name: 'refresh.live', unit: 'B/s', goal: 1500, measure: liveBytes },
  { name: 'refresh.cpu', unit: 'x guide poll', goal: 0.2, long: true, measure: refreshCpu },
  { name: 'frame.p95', unit: 'ms', goal: 30, measure: frameTimes },
  { name: 'key.p95', unit: 'ms', goal: 50, measure: keyTimes },
  { name: 'rollout.verdict', unit: 'ms', goal: 300, measure: rolloutVerdict },
  { name: 'api.callsPerService', unit: 'requests', goal: 8, measure: callsPerService },
  { name: 'discovery.1000', unit: 'x one paged LIST', goal: 3, measure: discovery },
  { name: 'migrate.16', unit: "x guide's loop", goal: 1.5, measure: migrate16 },
  { name: 'migrate.200', unit: "x guide's loop", goal: 1.5, measure: migrate200 },
  { name: 'memory.peak', unit: 'MB', goal: 200, measure: memoryPeak },
  { name: 'memory.slope', unit: 'MB/h', goal: 5, long: true, measure: memorySlope },
  { name: 'journal.append', unit: 'ms', goal: 10, measure: journalAppend },
  { name: 'resume.16', unit: 'ms', goal: 3000, measure: resume16 },
];
